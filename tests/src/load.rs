//! What the `load` program does: journals whose requests are signed before anything is measured, and connections that send them.
//!
//! Speaks as much HTTP/1.1 as a relay's answers need, so that the load costs little beside what it measures.

mod append;
mod bare;
mod fill;
mod journal;
mod wait;

use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Anything that goes wrong ends the program, with its words.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const USAGE: &str = "usage: load bare FOLDER | append RELAY BARE ROUNDS EACH | compare RELAY RELAY ROUNDS EACH | \
                     wait RELAY JOURNALS EACH | fill FILE JOURNALS ENVELOPES";

/// Runs one command.
///
/// # Errors
/// Whatever went wrong.
pub fn run(arguments: &[String]) -> Result<(), Box<dyn Error + Send + Sync>> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let threads = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    match words.as_slice() {
        ["bare", folder] => threads.block_on(bare::serve(folder)),
        ["append", relay, bare, rounds, each] => {
            let (rounds, each) = (rounds.parse()?, each.parse()?);
            threads.block_on(append::beside(relay, bare, rounds, each))
        }
        ["compare", one, other, rounds, each] => {
            let (rounds, each) = (rounds.parse()?, each.parse()?);
            threads.block_on(append::compare(one, other, rounds, each))
        }
        ["wait", relay, journals, each] => {
            more_files()?;
            threads.block_on(wait::wait(relay, journals.parse()?, each.parse()?))
        }
        ["fill", file, journals, envelopes] => {
            fill::fill(file, journals.parse()?, envelopes.parse()?)
        }
        _ => Err(USAGE.into()),
    }
}

/// Lets this process open as many files as the system lets it.
fn more_files() -> Outcome<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(())
}

/// Returns the time, in seconds since the Unix epoch.
fn now() -> Outcome<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}

/// Returns the address of a URL.
fn address(url: &str) -> Outcome<&str> {
    Ok(url.strip_prefix("http://").ok_or("not an http:// URL")?)
}

/// One connection, kept open.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(url: &str) -> Outcome<Self> {
        let stream = TcpStream::connect(address(url)?).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::new(),
        })
    }

    /// Sends a request as it is, and reads its answer, which must be a success.
    async fn ask(&mut self, request: &[u8]) -> Outcome<()> {
        self.stream.write_all(request).await?;
        self.answer().await
    }

    async fn answer(&mut self) -> Outcome<()> {
        let head = self.head().await?;
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.ok_or("an answer without a length")?.trim().parse()?;
        while self.buffer.len() < length {
            self.more().await?;
        }
        let body: Vec<u8> = self.buffer.drain(..length).collect();
        if head.starts_with("HTTP/1.1 2") {
            return Ok(());
        }
        let line = head.lines().next().unwrap_or_default();
        Err(format!("{line}: {}", String::from_utf8_lossy(&body)).into())
    }

    /// Reads the head of an answer.
    async fn head(&mut self) -> Outcome<String> {
        loop {
            let end = self.buffer.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
                return Ok(String::from_utf8(head)?);
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> Outcome<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            return Err("the other side hung up".into());
        }
        Ok(())
    }
}

/// Returns a POST request.
fn post(host: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// Returns the middle of some numbers.
fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}
