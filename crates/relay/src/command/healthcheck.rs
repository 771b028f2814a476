//! `ebb-relay healthcheck`: asks a running relay whether it is ready, for containers without a shell.
//!
//! One that has its own TLS must show the certificate in the file that it was given; whether clients elsewhere would accept that
//! one is not asked.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::failure::Failure;
use super::print;
use crate::server::pinned;

/// Time for connecting, and for each read and write.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of the answer that are read: more than the status line has.
const ANSWER: u64 = 1024;

#[derive(Args)]
pub(super) struct Healthcheck {
    /// The address the relay listens on
    #[arg(long, env = "EBB_RELAY_LISTEN", default_value = "127.0.0.1:8787")]
    listen: SocketAddr,
    /// The certificate of a relay that has its own TLS, as PEM: the relay must show this very one
    #[arg(long, env = "EBB_RELAY_TLS_CERT", value_name = "FILE")]
    tls_cert: Option<PathBuf>,
}

#[derive(Serialize)]
struct Ready {
    ready: bool,
}

impl fmt::Display for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ready")
    }
}

impl Healthcheck {
    /// Runs the command.
    pub(super) fn run(self, json: bool) -> Result<(), Failure> {
        let address = reachable(self.listen);
        let tls = self.tls_cert.as_deref().map(pinned).transpose()?;
        let answer = ask(address, tls).map_err(|source| Failure::Silent { address, source })?;
        if answer.starts_with("HTTP/1.1 200 ") {
            print(&Ready { ready: true }, json)
        } else {
            Err(Failure::NotReady { address, answer })
        }
    }
}

/// Returns the address to ask: a relay that listens everywhere is asked on loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// Returns the status line of the relay's answer.
fn ask(address: SocketAddr, tls: Option<ClientConfig>) -> io::Result<String> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let Some(config) = tls else {
        return ask_over(stream, address);
    };
    let client = ClientConnection::new(Arc::new(config), address.ip().into());
    ask_over(
        StreamOwned::new(client.map_err(io::Error::other)?, stream),
        address,
    )
}

fn ask_over(mut stream: impl Read + Write, address: SocketAddr) -> io::Result<String> {
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}
