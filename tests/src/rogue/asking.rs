//! Requests, signed as any device signs its own, whatever the device may do.
//!
//! Speaks HTTP/1.0 (RFC 1945) over loopback: the answer ends with the connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use minicbor::{Decode, Encode};
use protocol::api::{
    JOURNALS, JournalList, LogPage, MEDIA_TYPE, Problem, SyncAnswer, SyncRequest, journal_path,
};
use protocol::cbor;
use protocol::request::{Authorization, Request};
use protocol::vector::Vector;
use serde_json::{Value, json};

use super::{Line, Outcome, Rogue, now, random_bytes};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a relay answered.
pub(super) struct Reply {
    status: u16,
    body: Vec<u8>,
}

impl Reply {
    /// Returns the answer's status, the kind of its problem if it is one, and what `tell` says of a success.
    pub(super) fn told<A>(&self, tell: impl FnOnce(A) -> Value) -> Outcome<Value>
    where
        A: Encode<()> + for<'b> Decode<'b, ()>,
    {
        if self.status == 200 || self.status == 201 {
            let told = tell(cbor::decode(&self.body)?);
            return Ok(json!({ "status": self.status, "told": told }));
        }
        let problem: Problem = serde_json::from_slice(&self.body)?;
        let kind = serde_json::to_value(problem.kind)?;
        Ok(json!({ "status": self.status, "problem": kind, "detail": problem.detail }))
    }
}

impl Rogue {
    /// Asks for something that is read.
    pub(super) fn ask(&self, what: &str, line: &Line<'_>) -> Outcome<Value> {
        let relay = line.need("--relay")?;
        let journal = self.log.journal();
        match what {
            "sync" => {
                let request = SyncRequest {
                    log_length: 1,
                    head: self.log.hash_at(0).ok_or("an empty log")?,
                    vector: Vector::default(),
                };
                let path = journal_path(&journal, "sync");
                let reply = self.post(relay, &path, &request)?;
                reply.told(|answer: SyncAnswer| json!({ "envelopes": answer.envelopes.len() }))
            }
            "log" => {
                let path = format!("{}?from=0", journal_path(&journal, "log"));
                let reply = self.send(relay, "GET", &path, &[])?;
                reply.told(|page: LogPage| {
                    json!({ "records": page.records.len(), "blobs": page.blobs.len() })
                })
            }
            "journals" => {
                let reply = self.send(relay, "GET", JOURNALS, &[])?;
                reply.told(|list: JournalList| json!({ "journals": list.journals.len() }))
            }
            "events" => {
                let (mut answer, status) =
                    self.begin(relay, "GET", &journal_path(&journal, "events"), &[])?;
                if status == 200 {
                    return Ok(json!({ "status": status }));
                }
                let mut body = Vec::new();
                answer.read_to_end(&mut body)?;
                Reply { status, body }.told(|_: LogPage| Value::Null)
            }
            other => Err(format!("nobody asks for {other}").into()),
        }
    }

    /// Posts a message.
    pub(super) fn post<Q: Encode<()>>(
        &self,
        relay: &str,
        path: &str,
        message: &Q,
    ) -> Outcome<Reply> {
        self.send(relay, "POST", path, &cbor::encode(message))
    }

    fn send(&self, relay: &str, method: &str, path: &str, body: &[u8]) -> Outcome<Reply> {
        let (mut answer, status) = self.begin(relay, method, path, body)?;
        let mut body = Vec::new();
        answer.read_to_end(&mut body)?;
        Ok(Reply { status, body })
    }

    /// Sends a request, and reads the head of its answer.
    fn begin(
        &self,
        relay: &str,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Outcome<(BufReader<TcpStream>, u16)> {
        let request = Request { method, path, body };
        let time = u64::try_from(now())?;
        let proof = Authorization::create(&self.keys, relay, request, time, random_bytes());
        let host = relay.strip_prefix("http://").ok_or("only http here")?;
        let mut stream = TcpStream::connect(host)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nhost: {host}\r\nauthorization: {proof}\r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {length}\r\n\r\n"
        )?;
        stream.write_all(body)?;
        let mut answer = BufReader::new(stream);
        let mut head = String::new();
        answer.read_line(&mut head)?;
        let status = head.split(' ').nth(1).ok_or("no status")?.parse()?;
        while head != "\r\n" {
            head.clear();
            if answer.read_line(&mut head)? == 0 {
                return Err("the answer has no end of its head".into());
            }
        }
        Ok((answer, status))
    }
}
