//! Tests of connections: over real sockets on loopback.

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
    let again = format!("GET {events} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {proof}\r\n\r\n");
    later.write_all(again.as_bytes()).await.unwrap();
    for mut stream in [first, later] {
        let head = until(&mut stream, "\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("connection: close\r\n"), "{head}");
        until(&mut stream, "16\r\nevent: news\ndata: {}\n\n\r\n").await;
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

#[tokio::test]
async fn connections_beyond_the_limit_wait_until_others_end() {
    let how = How {
        connections: 2,
        ..How::default()
    };
    let running = Running::with(Bench::new().await, how).await;
    let owner = Keys::of(1);
    let health = ("GET", "/healthz", b"".as_slice());
    let mut first = running.send(&owner, health).await;
    let mut second = running.send(&owner, health).await;
    until(&mut first, "ok\n").await;
    until(&mut second, "ok\n").await;
    let mut third = running.send(&owner, health).await;
    // While the others are served, it is not.
    let host = running.address;
    let again = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n");
    for stream in [&mut first, &mut second] {
        stream.write_all(again.as_bytes()).await.unwrap();
        until(stream, "ok\n").await;
    }
    let nothing = third.try_read(&mut [0; 1]).unwrap_err();
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    drop(first);
    until(&mut third, "ok\n").await;
    drop(second);
    running.stop().await;
}
