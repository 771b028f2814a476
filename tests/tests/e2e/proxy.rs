//! A proxy before a relay that keeps every byte, counts requests, and can lie.
//!
//! Speaks as much HTTP/1.1 (RFC 9112) as tells where a message ends: by length, in chunks, or by the connection's end.
//! An event stream is passed on as it comes. One thread for each connection; all end when either side hangs up.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the proxy does to the bodies of answers.
#[derive(Clone)]
pub(crate) enum Lie {
    /// Passes them on as they are.
    None,
    /// Answers every request with success and a body that means nothing.
    Garbage,
    /// Flips one bit, so many bytes after each place where these bytes are found.
    FlipAfter(Vec<u8>, usize),
}

/// A proxy on loopback.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: Mutex<Option<SocketAddr>>,
    lie: Mutex<Lie>,
    sent: Mutex<Vec<u8>>,
    received: Mutex<Vec<u8>>,
    requests: AtomicUsize,
    flipped: AtomicUsize,
}

impl Proxy {
    /// Listens on a port that the system picks, and refuses connections until it leads somewhere.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let shared = Arc::new(Shared {
            upstream: Mutex::new(None),
            lie: Mutex::new(Lie::None),
            sent: Mutex::default(),
            received: Mutex::default(),
            requests: AtomicUsize::new(0),
            flipped: AtomicUsize::new(0),
        });
        let address = listener.local_addr().expect("an address");
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = Arc::clone(&accepting);
                // A connection that breaks is the client's to notice.
                std::thread::spawn(move || drop(shared.converse(client)));
            }
        });
        Self { address, shared }
    }

    /// Leads to this address from now on.
    pub(crate) fn lead_to(&self, upstream: SocketAddr) {
        *lock(&self.shared.upstream) = Some(upstream);
    }

    /// Lies in this way from now on.
    pub(crate) fn tell(&self, lie: Lie) {
        *lock(&self.shared.lie) = lie;
    }

    /// Returns what clients call it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns how many requests it has seen.
    pub(crate) fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// Returns how many bits it has flipped.
    pub(crate) fn flipped(&self) -> usize {
        self.shared.flipped.load(Ordering::SeqCst)
    }

    /// Returns every byte that clients sent and received, headers included.
    pub(crate) fn traffic(&self) -> Traffic {
        Traffic {
            sent: lock(&self.shared.sent).clone(),
            received: lock(&self.shared.received).clone(),
        }
    }
}

/// What went over the network.
pub(crate) struct Traffic {
    pub(crate) sent: Vec<u8>,
    pub(crate) received: Vec<u8>,
}

/// A request or an answer.
struct Message {
    head: Vec<u8>,
    body: Vec<u8>,
}

impl Shared {
    fn converse(&self, client: TcpStream) -> io::Result<()> {
        let upstream = *lock(&self.upstream);
        let upstream = upstream.ok_or(io::ErrorKind::ConnectionRefused)?;
        let mut client = BufReader::new(client);
        let mut server = BufReader::new(TcpStream::connect(upstream)?);
        while let Some(request) = read_message(&mut client, false)? {
            self.requests.fetch_add(1, Ordering::SeqCst);
            record(&self.sent, &request);
            write(server.get_mut(), &request)?;
            let head = read_head(&mut server)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if has(&head, "content-type", "text/event-stream") {
                return self.pass_on(head, &mut server, client.get_mut());
            }
            let body = read_body(&head, &mut server, true)?;
            let answer = self.answer(Message { head, body });
            record(&self.received, &answer);
            write(client.get_mut(), &answer)?;
        }
        Ok(())
    }

    /// Passes an event stream on until it ends.
    fn pass_on(
        &self,
        head: Vec<u8>,
        server: &mut impl BufRead,
        client: &mut TcpStream,
    ) -> io::Result<()> {
        lock(&self.received).extend_from_slice(&head);
        client.write_all(&head)?;
        loop {
            let bytes = server.fill_buf()?.to_vec();
            if bytes.is_empty() {
                return Ok(());
            }
            lock(&self.received).extend_from_slice(&bytes);
            client.write_all(&bytes)?;
            server.consume(bytes.len());
        }
    }

    /// Tells the truth or a lie, always with the body's true length.
    fn answer(&self, truth: Message) -> Message {
        let lie = lock(&self.lie).clone();
        let (head, body) = match lie {
            Lie::None => (truth.head, truth.body),
            Lie::Garbage => {
                let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/cbor\r\n\r\n".to_vec();
                (head, b"\xff\x00 nothing that means anything \xff".repeat(8))
            }
            Lie::FlipAfter(mark, distance) => {
                let mut body = truth.body;
                let places: Vec<usize> = find_all(&body, &mark).collect();
                for place in places {
                    if let Some(byte) = body.get_mut(place + distance) {
                        *byte ^= 0x10;
                        self.flipped.fetch_add(1, Ordering::SeqCst);
                    }
                }
                (truth.head, body)
            }
        };
        Message {
            head: with_length(&head, body.len()),
            body,
        }
    }
}

fn find_all<'a>(bytes: &'a [u8], mark: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let windows = bytes.windows(mark.len()).enumerate();
    windows
        .filter(move |(_, window)| *window == mark)
        .map(|(place, _)| place)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn record(log: &Mutex<Vec<u8>>, message: &Message) {
    let mut log = lock(log);
    log.extend_from_slice(&message.head);
    log.extend_from_slice(&message.body);
}

fn write(stream: &mut TcpStream, message: &Message) -> io::Result<()> {
    stream.write_all(&message.head)?;
    stream.write_all(&message.body)?;
    stream.flush()
}

/// Reads one message, its chunks joined; none at the end of the connection.
fn read_message(stream: &mut impl BufRead, is_answer: bool) -> io::Result<Option<Message>> {
    let Some(head) = read_head(stream)? else {
        return Ok(None);
    };
    let body = read_body(&head, stream, is_answer)?;
    let head = if body.is_empty() {
        head
    } else {
        with_length(&head, body.len())
    };
    Ok(Some(Message { head, body }))
}

fn read_head(stream: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    loop {
        let before = head.len();
        if stream.read_until(b'\n', &mut head)? == 0 {
            return Ok(None);
        }
        if before > 0 && matches!(head.get(before..), Some(b"\r\n")) {
            return Ok(Some(head));
        }
    }
}

fn read_body(head: &[u8], stream: &mut impl BufRead, is_answer: bool) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if has(head, "transfer-encoding", "chunked") {
        while let Some(length) = read_chunk_length(stream)? {
            stream.by_ref().take(length).read_to_end(&mut body)?;
            stream.read_until(b'\n', &mut Vec::new())?;
        }
        return Ok(body);
    }
    let without_body = head.starts_with(b"HTTP/1.1 204") || head.starts_with(b"HTTP/1.1 304");
    match header(head, "content-length").and_then(|length| length.parse().ok()) {
        Some(length) => stream.by_ref().take(length).read_to_end(&mut body)?,
        None if is_answer && !without_body => stream.read_to_end(&mut body)?,
        None => 0,
    };
    Ok(body)
}

/// Reads the length of the next chunk; none after the last, with the empty line that closes the message.
fn read_chunk_length(stream: &mut impl BufRead) -> io::Result<Option<u64>> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let length = u64::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
    if length == 0 {
        stream.read_line(&mut line)?;
    }
    Ok((length > 0).then_some(length))
}

fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    let text = std::str::from_utf8(head).ok()?;
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = fields.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
    Some(value.trim())
}

fn has(head: &[u8], name: &str, value: &str) -> bool {
    header(head, name).is_some_and(|found| found.starts_with(value))
}

/// Returns a head that gives the body's length, and in no other way.
fn with_length(head: &[u8], length: usize) -> Vec<u8> {
    let text = String::from_utf8_lossy(head);
    let framing = |line: &&str| {
        let line = line.to_ascii_lowercase();
        line.starts_with("content-length:") || line.starts_with("transfer-encoding:")
    };
    let kept = text
        .lines()
        .filter(|line| !line.is_empty() && !framing(line));
    let mut head = kept.fold(String::new(), |head, line| head + line + "\r\n");
    head.push_str(&format!("content-length: {length}\r\n\r\n"));
    head.into_bytes()
}
