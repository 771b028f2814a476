//! Many who wait for events, and how soon an append reaches all who wait for its journal.

use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::journal::Journal;
use super::{Connection, Outcome, median};

/// Far longer than any event takes.
const BOUND: Duration = Duration::from_secs(30);
/// Journals that are appended to once all wait.
const TOLD: usize = 20;

/// Waits on `each` streams of each of `journals` journals.
pub(super) async fn wait(url: &str, journals: usize, each: usize) -> Outcome<()> {
    let mut waiting = Vec::new();
    for _ in 0..journals {
        let journal = Journal::new(url)?;
        journal.create().await?;
        let mut streams = Vec::new();
        for _ in 0..each {
            let mut stream = Connection::open(url).await?;
            let request = journal.waiting()?;
            tokio::io::AsyncWriteExt::write_all(&mut stream.stream, &request).await?;
            let head = stream.head().await?;
            if !head.starts_with("HTTP/1.1 200 ") {
                return Err(head.into());
            }
            event(&mut stream).await?;
            streams.push(stream);
        }
        waiting.push((journal, streams));
    }
    say(&json!({ "waiting": journals * each }))?;
    // Whoever measures the relay's memory says when it is done.
    let told =
        tokio::task::spawn_blocking(|| std::io::stdin().lock().read_line(&mut String::new()));
    told.await??;
    let mut times = Vec::new();
    for (mut journal, streams) in waiting.into_iter().take(TOLD) {
        let body = journal.append();
        let request = journal.storing(&body)?;
        let mut writer = Connection::open(url).await?;
        let mut hearing = JoinSet::new();
        let start = Instant::now();
        for mut stream in streams {
            hearing.spawn(async move { timeout(BOUND, event(&mut stream)).await? });
        }
        writer.ask(&request).await?;
        while let Some(heard) = hearing.join_next().await {
            heard??;
        }
        times.push(start.elapsed().as_secs_f64());
    }
    say(&json!({ "each": each, "seconds": median(times) }))
}

fn say(document: &serde_json::Value) -> Outcome<()> {
    println!("{document}");
    Ok(std::io::stdout().flush()?)
}

/// Reads until an event of news has come; signs of life are passed over.
async fn event(stream: &mut Connection) -> Outcome<()> {
    const NEWS: &[u8] = b"event: news\ndata: {}\n\n";
    loop {
        let end = stream
            .buffer
            .windows(NEWS.len())
            .position(|part| part == NEWS);
        if let Some(end) = end {
            stream.buffer.drain(..end + NEWS.len());
            return Ok(());
        }
        stream.more().await?;
    }
}
