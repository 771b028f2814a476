//! Accepting connections, and stopping.
//!
//! HTTP/1.1 and HTTP/2, with TLS or without: TLS says which it is, else the first bytes do. Most connections wait for events
//! ([`endless`]) and hold next to nothing meanwhile. Stopping: no new connections, event streams end, requests in flight are finished, and what
//! is still open after [`GRACE`] is cut.

mod endless;
mod patience;
mod pinned;
mod tls;

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{sleep, timeout};

use crate::http::Peer;
use crate::metrics::Metrics;
use endless::Desk;
use patience::Patient;

pub(crate) use pinned::pinned;
pub(crate) use tls::{Tls, TlsError};

/// Time for a request's head, and for the next request of a connection.
const HEAD: Duration = Duration::from_secs(30);
/// Time that requests in flight have when the server stops.
const GRACE: Duration = Duration::from_secs(8);
/// Time in which a client must take some of what it is sent.
const TAKE: Duration = Duration::from_secs(30);
/// Bytes of a connection's buffers.
const BUFFER: usize = 16 * 1024;
/// Connections at a time.
const CONNECTIONS: usize = 20_000;
/// How HTTP/2 connections begin, and no request of HTTP/1 does.
const PREFACE: &[u8; 3] = b"PRI";

/// How connections are served.
#[derive(Clone)]
pub(crate) struct How {
    /// The certificate, where the relay has its own TLS.
    pub(crate) tls: Option<Arc<Tls>>,
    /// What is counted.
    pub(crate) metrics: Arc<Metrics>,
    /// Time for a request's head, and for the next request of a connection.
    pub(crate) head: Duration,
    /// Connections at a time.
    pub(crate) connections: usize,
}

impl Default for How {
    fn default() -> Self {
        Self {
            tls: None,
            metrics: Arc::default(),
            head: HEAD,
            connections: CONNECTIONS,
        }
    }
}

/// Serves until `stop` becomes true and connections have ended.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    how: How,
    mut stop: watch::Receiver<bool>,
) {
    let connections = Arc::new(Semaphore::new(how.connections));
    // Every connection holds a sender: when all are gone, all have ended.
    let (alive, mut ended) = mpsc::channel::<()>(1);
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = accept(&listener, &connections) => accepted,
        };
        let (stream, peer, permit) = accepted;
        let (router, stop, alive) = (router.clone(), stop.clone(), alive.clone());
        let (tls, head) = (how.tls.clone(), how.head);
        let connected = how.metrics.connected();
        tokio::spawn(async move {
            let _held = (permit, alive, connected);
            let desk = Desk::default();
            let service = Answers {
                router,
                peer,
                head,
                desk,
            };
            match tls {
                // Boxed, so that what TLS needs does not make every connection larger.
                Some(tls) => Box::pin(encrypted(stream, &tls, service, stop)).await,
                None => plain(stream, service, stop).await,
            }
        });
    }
    drop((listener, alive));
    if timeout(GRACE, ended.recv()).await.is_err() {
        tracing::warn!("connections were cut that did not end in time");
    }
}

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> (TcpStream, IpAddr, Option<tokio::sync::OwnedSemaphorePermit>) {
    loop {
        let permit = Arc::clone(connections).acquire_owned().await.ok();
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer.ip(), permit),
            Err(error) => {
                // Too many open files, mostly: others must end first.
                tracing::warn!(%error, "cannot accept a connection");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Answers the requests of one connection, which know where it comes from.
struct Answers {
    router: Router,
    peer: IpAddr,
    head: Duration,
    desk: Desk,
}

impl Service<Request<Incoming>> for Answers {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(Peer(self.peer));
        let desk = Desk::serves(&request).then(|| self.desk.clone());
        // A router is always ready.
        let answer = tower::Service::call(&mut self.router.clone(), request);
        Box::pin(async move {
            let response = answer.await?;
            match desk {
                Some(desk) => desk.pass(response).await,
                None => Ok(response),
            }
        })
    }
}

async fn plain(stream: TcpStream, service: Answers, mut stop: watch::Receiver<bool>) {
    // Answers are short and wanted at once. A socket that refuses this works all the same.
    drop(stream.set_nodelay(true));
    let mut start = [0; PREFACE.len()];
    let peeked = tokio::select! {
        biased;
        _ = stop.wait_for(|stop| *stop) => return,
        peeked = timeout(service.head, stream.peek(&mut start)) => peeked,
    };
    if !matches!(peeked, Ok(Ok(1..))) {
        return;
    }
    connection(stream, start == *PREFACE, service, stop).await;
}

async fn encrypted(
    stream: TcpStream,
    tls: &Tls,
    service: Answers,
    mut stop: watch::Receiver<bool>,
) {
    drop(stream.set_nodelay(true));
    let accepted = tokio::select! {
        biased;
        _ = stop.wait_for(|stop| *stop) => return,
        accepted = timeout(service.head, tls.acceptor().accept(stream)) => accepted,
    };
    // Whoever speaks no TLS, or none of today, hears so from the library.
    if let Ok(Ok(stream)) = accepted {
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        connection(stream, is_http2, service, stop).await;
    }
}

async fn connection<S>(stream: S, is_http2: bool, service: Answers, stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(Patient::new(stream, TAKE));
    if is_http2 {
        // Boxed, so that it does not make connections of HTTP/1.1 larger: those are most of what waits for events.
        Box::pin(over_http2(io, service, stop)).await;
    } else {
        over_http1(io, service, stop).await;
    }
}

async fn over_http1<S>(io: TokioIo<Patient<S>>, service: Answers, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(service.head)
        .max_buf_size(BUFFER);
    let desk = service.desk.clone();
    let mut connection = builder.serve_connection(io, service);
    let mut is_stopping = false;
    let endless = loop {
        let served = poll_fn(|context| match Pin::new(&mut connection).poll(context) {
            // How a connection ends, by the client's fault or not, concerns nobody but the client.
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => desk
                .take()
                .map_or(Poll::Pending, |left| Poll::Ready(Some(left))),
        });
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop), if !is_stopping => {
                is_stopping = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            served = served => break served,
        }
    };
    if let Some(response) = endless {
        let stream = connection.into_parts().io.into_inner();
        // Who has not taken all of the answer before it would mistake this one for its rest.
        if !stream.is_waiting() {
            drop(endless::send(stream, response).await);
        }
    }
}

async fn over_http2<S>(io: TokioIo<Patient<S>>, service: Answers, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(service.head)
        .keep_alive_timeout(service.head);
    let mut connection = std::pin::pin!(builder.serve_connection(io, service));
    tokio::select! {
        biased;
        _ = stop.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
        _ = connection.as_mut() => return,
    }
    drop(connection.await);
}

/// Returns a bound listener, and its address with the port it was given.
///
/// # Errors
/// What the system says.
pub(crate) async fn bind(address: SocketAddr) -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Takes over a listener that someone else has bound.
///
/// # Errors
/// What the system says.
pub(crate) fn adopt(listener: std::net::TcpListener) -> std::io::Result<(TcpListener, SocketAddr)> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

#[cfg(test)]
mod tests;
