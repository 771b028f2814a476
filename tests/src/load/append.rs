//! Appends by many connections at once, beside the same bodies on a bare server; and two relays beside each other.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use super::journal::Journal;
use super::{Connection, Outcome, address, median, post};

/// Connections, each with a journal of its own.
const CONNECTIONS: usize = 64;
/// Connections where the time of single answers matters.
const FEW: usize = 4;

/// What one connection sends, one after the other.
struct Script {
    connection: Connection,
    requests: Vec<Vec<u8>>,
}

/// Sends all scripts at once, and returns how long that took and the time of each answer, in seconds.
async fn play(scripts: Vec<Script>) -> Outcome<(Vec<Connection>, Duration, Vec<f64>)> {
    let start = Instant::now();
    let mut playing = JoinSet::new();
    for mut script in scripts {
        playing.spawn(async move {
            let mut times = Vec::with_capacity(script.requests.len());
            for request in &script.requests {
                let asked = Instant::now();
                script.connection.ask(request).await?;
                times.push(asked.elapsed().as_secs_f64());
            }
            Outcome::Ok((script.connection, times))
        });
    }
    let (mut connections, mut all) = (Vec::new(), Vec::new());
    while let Some(played) = playing.join_next().await {
        let (connection, mut times) = played??;
        connections.push(connection);
        all.append(&mut times);
    }
    Ok((connections, start.elapsed(), all))
}

async fn journals(url: &str, count: usize) -> Outcome<Vec<Journal>> {
    let mut journals = Vec::new();
    for _ in 0..count {
        let journal = Journal::new(url)?;
        journal.create().await?;
        journals.push(journal);
    }
    Ok(journals)
}

async fn connections(url: &str, count: usize) -> Outcome<Vec<Connection>> {
    let mut connections = Vec::new();
    for _ in 0..count {
        connections.push(Connection::open(url).await?);
    }
    Ok(connections)
}

fn scripts(connections: Vec<Connection>, requests: Vec<Vec<Vec<u8>>>) -> Vec<Script> {
    let pairs = connections.into_iter().zip(requests);
    pairs
        .map(|(connection, requests)| Script {
            connection,
            requests,
        })
        .collect()
}

/// Checks the signature of each body's envelope twice, as many as a relay checks for it, on all processors and with nothing
/// else to do. Returns how many bodies that makes in a second.
fn checks(journals: &[Journal], bodies: &[Vec<Vec<u8>>]) -> Outcome<f64> {
    let threads = std::thread::available_parallelism()?.get();
    let work: Vec<_> = journals.iter().zip(bodies).collect();
    let start = Instant::now();
    std::thread::scope(|scope| {
        let parts = work.chunks(work.len().div_ceil(threads));
        let running: Vec<_> = parts
            .map(|part| {
                scope.spawn(move || {
                    part.iter().try_for_each(|(journal, bodies)| {
                        bodies.iter().try_for_each(|body| {
                            journal.check(body)?;
                            journal.check(body)
                        })
                    })
                })
            })
            .collect();
        running
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| "a thread ended early")?)
    })?;
    let count: usize = bodies.iter().map(Vec::len).sum();
    Ok(f64::from(u32::try_from(count)?) / start.elapsed().as_secs_f64())
}

/// Measures appends to a relay beside the same bodies on a bare server, in turn; prints the median rates.
pub(super) async fn beside(relay: &str, bare: &str, rounds: usize, each: usize) -> Outcome<()> {
    let mut journals = journals(relay, CONNECTIONS).await?;
    let mut on_relay = connections(relay, CONNECTIONS).await?;
    let mut on_bare = connections(bare, CONNECTIONS).await?;
    let host = address(bare)?;
    let mut rates = [Vec::new(), Vec::new(), Vec::new()];
    let mut checked = Vec::new();
    // The first round warms up, and does not count.
    for round in 0..=rounds {
        let bodies: Vec<Vec<Vec<u8>>> = journals
            .iter_mut()
            .map(|journal| (0..each).map(|_| journal.append()).collect())
            .collect();
        if round > 0 {
            checked.push(checks(&journals, &bodies)?);
        }
        let mut signed = Vec::new();
        for (journal, bodies) in journals.iter().zip(&bodies) {
            let requests: Outcome<Vec<_>> =
                bodies.iter().map(|body| journal.storing(body)).collect();
            signed.push(requests?);
        }
        for (path, rates) in ["/echo", "/commit", ""].into_iter().zip(&mut rates) {
            let took = if path.is_empty() {
                let (back, took, _) = play(scripts(
                    std::mem::take(&mut on_relay),
                    std::mem::take(&mut signed),
                ))
                .await?;
                // Each journal's next envelope follows on any connection.
                on_relay = back;
                took
            } else {
                let requests = bodies.iter().map(|bodies| {
                    let posts = bodies.iter().map(|body| post(host, path, "", body));
                    posts.collect()
                });
                let (back, took, _) =
                    play(scripts(std::mem::take(&mut on_bare), requests.collect())).await?;
                on_bare = back;
                took
            };
            if round > 0 {
                let count = u32::try_from(CONNECTIONS * each)?;
                rates.push(f64::from(count) / took.as_secs_f64());
            }
        }
    }
    let [echo, commit, relay] = rates.map(median);
    let checks = median(checked);
    println!(
        "{}",
        json!({ "echo": echo, "commit": commit, "relay": relay, "checks": checks })
    );
    Ok(())
}

/// Measures the answers of two relays in turn; prints the median times of appends and syncs on each, in seconds.
pub(super) async fn compare(one: &str, other: &str, rounds: usize, each: usize) -> Outcome<()> {
    let mut sides = Vec::new();
    for url in [one, other] {
        sides.push((journals(url, FEW).await?, connections(url, FEW).await?));
    }
    let mut times = [[Vec::new(), Vec::new()], [Vec::new(), Vec::new()]];
    for round in 0..=rounds {
        for ((journals, open), [appends, syncs]) in sides.iter_mut().zip(&mut times) {
            let mut requests = Vec::new();
            for journal in journals.iter_mut() {
                let bodies: Vec<Vec<u8>> = (0..each).map(|_| journal.append()).collect();
                let signed: Outcome<Vec<_>> =
                    bodies.iter().map(|body| journal.storing(body)).collect();
                requests.push(signed?);
            }
            let (back, _, mut took) = play(scripts(std::mem::take(open), requests)).await?;
            let mut requests = Vec::new();
            for journal in journals.iter() {
                let signed: Outcome<Vec<_>> = (0..each).map(|_| journal.syncing()).collect();
                requests.push(signed?);
            }
            let (back, _, mut read) = play(scripts(back, requests)).await?;
            *open = back;
            if round > 0 {
                appends.append(&mut took);
                syncs.append(&mut read);
            }
        }
    }
    let [one, other] = times.map(|[appends, syncs]| [median(appends), median(syncs)]);
    println!("{}", json!({ "one": one, "other": other }));
    Ok(())
}
