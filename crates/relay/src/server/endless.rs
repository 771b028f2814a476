//! Answers without an end, such as event streams, sent without what hyper keeps for a connection.
//!
//! hyper holds some 16 KiB of buffers for as long as a connection lives, for requests and answers that a connection that waits
//! for events will never have. So such an answer is taken out of hyper's hands ([`Desk`]): its connection is dissolved, and what
//! is left, the stream, is written to here ([`send`]). The connection carries nothing after it, and says so.
//!
//! Source: RFC 9112, section 7.1 (chunked) and section 9.6 (`close`).

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use axum::extract::Request;
use axum::http::{Method, Version, header};
use axum::response::Response;
use http_body_util::BodyExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::http::Endless;

/// Where an endless answer is left for whoever drives its connection.
#[derive(Clone, Default)]
pub(super) struct Desk(Arc<Mutex<Option<Response>>>);

impl Desk {
    /// Returns whether an endless answer to a request can be sent here: chunks are of HTTP/1.1.
    pub(super) fn serves<B>(request: &Request<B>) -> bool {
        request.method() == Method::GET && request.version() == Version::HTTP_11
    }

    /// Passes an answer on; an endless one is left here instead, and nothing is passed on any more.
    pub(super) async fn pass(self, response: Response) -> Result<Response, Infallible> {
        if response.extensions().get::<Endless>().is_none() {
            return Ok(response);
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(response);
        pending().await
    }

    /// Takes what was left.
    pub(super) fn take(&self) -> Option<Response> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Sends an answer until its body ends, or the other side does not wait any more.
///
/// # Errors
/// What the stream says.
pub(super) async fn send<S>(mut stream: S, response: Response) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (head, mut body) = (head(&response), response.into_body());
    stream.write_all(&head).await?;
    drop(head);
    // Whoever waits has nothing to say: any byte, like the end, means that it waits no more.
    let mut said = [0; 1];
    loop {
        let frame = tokio::select! {
            frame = body.frame() => frame,
            said = stream.read(&mut said) => return said.map(drop),
        };
        let Some(Ok(frame)) = frame else { break };
        if let Some(data) = frame.data_ref().filter(|data| !data.is_empty()) {
            let size = format!("{:x}\r\n", data.len());
            let chunk = [size.as_bytes(), data, b"\r\n"].concat();
            stream.write_all(&chunk).await?;
            stream.flush().await?;
        }
    }
    stream.write_all(b"0\r\n\r\n").await?;
    stream.shutdown().await
}

fn head(response: &Response) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {}\r\n", response.status()).into_bytes();
    let date = httpdate::fmt_http_date(SystemTime::now());
    let ours = [
        (header::CONNECTION, "close"),
        (header::TRANSFER_ENCODING, "chunked"),
        (header::DATE, &date),
    ];
    let ours = ours.iter().map(|(name, value)| (name, value.as_bytes()));
    let headers = response.headers().iter();
    let headers = headers.map(|(name, value)| (name, value.as_bytes()));
    for (name, value) in ours.chain(headers) {
        for part in [name.as_str().as_bytes(), b": ", value, b"\r\n"] {
            head.extend_from_slice(part);
        }
    }
    head.extend_from_slice(b"\r\n");
    head
}
