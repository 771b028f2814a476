//! Accepting connections, and stopping.
//!
//! HTTP/1.1 and HTTP/2, with TLS or without: TLS says which it is, else the first bytes do. Most connections wait for events
//! ([`endless`]) and hold next to nothing meanwhile. Stopping: no new connections, event streams end, requests in flight are finished, and what
//! is still open after [`GRACE`] is cut.

mod endless;
mod patience;
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
}

impl Default for How {
    fn default() -> Self {
        Self {
            tls: None,
            metrics: Arc::default(),
            head: HEAD,
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
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
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
mod tests {
    use protocol::api::{Appended, LogPage};
    use protocol::cbor;
    use protocol::request::Authorization;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::task::JoinHandle;

    use super::*;
    use crate::testing::{Bench, Keys, NOW};

    /// Far longer than anything here takes.
    const BOUND: Duration = Duration::from_secs(20);

    struct Running {
        bench: Bench,
        address: SocketAddr,
        server: JoinHandle<()>,
    }

    impl Running {
        async fn start() -> Self {
            Self::with(Bench::new().await, How::default()).await
        }

        async fn with(bench: Bench, how: How) -> Self {
            let (listener, address) = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
            let stop = bench.stop.subscribe();
            let server = tokio::spawn(serve(listener, bench.router.clone(), how, stop));
            Self {
                bench,
                address,
                server,
            }
        }

        fn sign(&self, keys: &Keys, request: (&str, &str, &[u8])) -> Authorization {
            let origin = format!("http://{}", self.address);
            self.bench.sign(keys, request, &origin, NOW)
        }

        /// Sends the head of a request.
        async fn send(&self, keys: &Keys, (method, path, body): (&str, &str, &[u8])) -> TcpStream {
            let proof = self.sign(keys, (method, path, body));
            let (host, length) = (self.address, body.len());
            let head = format!(
                "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {proof}\r\n\
                 Content-Length: {length}\r\n\r\n"
            );
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(head.as_bytes()).await.unwrap();
            stream
        }

        async fn stop(self) {
            self.bench.stop.send_replace(true);
            timeout(BOUND, self.server).await.unwrap().unwrap();
            assert!(TcpStream::connect(self.address).await.is_err());
        }
    }

    /// Reads until `end` has come, and returns everything.
    async fn until(stream: &mut TcpStream, end: &str) -> String {
        let mut text = String::new();
        let read = async {
            while !text.ends_with(end) {
                let byte = stream.read_u8().await.unwrap();
                text.push(char::from(byte));
            }
        };
        timeout(BOUND, read).await.unwrap();
        text
    }

    /// Reads everything that still comes.
    async fn rest(mut stream: TcpStream) -> Vec<u8> {
        let mut rest = Vec::new();
        let read = stream.read_to_end(&mut rest);
        timeout(BOUND, read).await.unwrap().unwrap();
        rest
    }

    #[tokio::test]
    async fn events_flow_until_the_server_stops() {
        let running = Running::start().await;
        let owner = Keys::of(1);
        let journal = running.bench.journal(&owner).await;
        let events = journal.path("events");
        let idle = TcpStream::connect(running.address).await.unwrap();
        let mut stream = running.send(&owner, ("GET", &events, b"")).await;
        let head = until(&mut stream, "data: {}\n\n").await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(
            head.contains("content-type: text/event-stream\r\n"),
            "{head}"
        );

        let mut chain = journal.chain(&owner);
        let envelope = chain.seal(10);
        let append = chain.append(vec![envelope]);
        let path = journal.path("envelopes");
        let _: Appended = running.bench.post(&owner, &path, &append).await.message();
        let second = timeout(Duration::from_secs(1), until(&mut stream, "data: {}\n\n")).await;
        assert!(second.unwrap().contains("event: news\n"));

        // Neither the stream nor a connection that never asks holds up the end.
        running.stop().await;
        let end = String::from_utf8(rest(stream).await).unwrap();
        assert!(end.ends_with("0\r\n\r\n"), "{end:?}");
        assert_eq!(rest(idle).await, b"");
    }

    #[tokio::test]
    async fn who_hangs_up_waits_no_more() {
        let running = Running::start().await;
        let owner = Keys::of(1);
        let journal = running.bench.journal(&owner).await;
        let (log, events) = (journal.path("log"), journal.path("events"));
        // Whether it is the first request of its connection or not.
        let first = running.send(&owner, ("GET", &events, b"")).await;
        let mut later = running.send(&owner, ("GET", &log, b"")).await;
        let head = until(&mut later, "\r\n\r\n").await;
        let length = head.split_once("content-length: ").unwrap().1;
        let length: usize = length.split_once('\r').unwrap().0.parse().unwrap();
        let mut body = vec![0; length];
        later.read_exact(&mut body).await.unwrap();
        let proof = running.sign(&owner, ("GET", &events, b""));
        let host = running.address;
        let again =
            format!("GET {events} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {proof}\r\n\r\n");
        later.write_all(again.as_bytes()).await.unwrap();
        for mut stream in [first, later] {
            let head = until(&mut stream, "\r\n\r\n").await;
            assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
            assert!(head.contains("connection: close\r\n"), "{head}");
            until(&mut stream, "15\r\nevent: news\ndata: {}\n\n\r\n").await;
            let waiting = || running.bench.site.relay.news().subscribers();
            let before = waiting();
            drop(stream);
            let left = async {
                while waiting() == before {
                    tokio::task::yield_now().await;
                }
            };
            timeout(BOUND, left).await.unwrap();
        }
        running.stop().await;
    }

    #[tokio::test]
    async fn a_request_in_flight_is_finished() {
        let running = Running::start().await;
        let owner = Keys::of(1);
        let mut journal = running.bench.journal(&owner).await;
        let (record, blob) = journal.invite(&owner, &Keys::of(2), NOW + 60);
        let body = cbor::encode(&journal.append(record, Some(blob)));
        let path = journal.path("log");
        let mut stream = running.send(&owner, ("POST", &path, &body)).await;
        let (first, second) = body.split_at(body.len() / 2);
        stream.write_all(first).await.unwrap();
        // A whole request on another connection: by its answer the server has seen the first one.
        let mut other = running.send(&owner, ("GET", "/healthz", b"")).await;
        until(&mut other, "ok\n").await;
        running.bench.stop.send_replace(true);
        assert_eq!(rest(other).await, b"");
        stream.write_all(second).await.unwrap();
        let answer = rest(stream).await;
        let end = answer
            .windows(4)
            .position(|bytes| bytes == b"\r\n\r\n")
            .unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
        let page: LogPage = cbor::decode(&answer[end + 4..]).unwrap();
        assert_eq!(page.head, journal.log.head());
        running.stop().await;
    }

    #[tokio::test]
    async fn a_refused_body_is_still_answered() {
        let running = Running::start().await;
        let owner = Keys::of(1);
        let journal = running.bench.journal(&owner).await;
        let body = vec![0; protocol::limits::REQUEST_BYTES + 1];
        let path = journal.path("envelopes");
        let mut stream = running.send(&owner, ("POST", &path, &body)).await;
        timeout(BOUND, stream.write_all(&body))
            .await
            .unwrap()
            .unwrap();
        let head = until(&mut stream, "\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
        running.stop().await;
    }

    #[tokio::test]
    async fn slow_heads_are_cut_and_hold_up_nobody() {
        let how = How {
            head: Duration::from_millis(200),
            ..How::default()
        };
        let running = Running::with(Bench::new().await, how).await;
        let mut slow = Vec::new();
        for start in ["", "G", "GET /healthz HTTP/1.1\r\nHost: relay.te"].repeat(50) {
            let mut stream = TcpStream::connect(running.address).await.unwrap();
            stream.write_all(start.as_bytes()).await.unwrap();
            slow.push(stream);
        }
        let mut other = running.send(&Keys::of(1), ("GET", "/healthz", b"")).await;
        until(&mut other, "ok\n").await;
        for stream in slow {
            let said = rest(stream).await;
            let said = String::from_utf8(said).unwrap();
            // hyper says why where it knows that it speaks HTTP.
            assert!(
                said.is_empty() || said.starts_with("HTTP/1.1 408 "),
                "{said}"
            );
        }
        running.stop().await;
    }
}
