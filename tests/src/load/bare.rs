//! What the relay is measured beside: axum alone, and axum with SQLite that commits in groups and checks nothing.

use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::Outcome;

/// Commits together, at most; as the relay's.
const GROUP: usize = 256;

/// A body to keep, and who waits for it.
type Row = (Bytes, oneshot::Sender<bool>);

/// Serves until it is killed.
pub(super) async fn serve(folder: &str) -> Outcome<()> {
    let database = Connection::open(Path::new(folder).join("bare.db"))?;
    database.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE bodies (number INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;",
    )?;
    let (queue, rows) = sync_channel(4 * GROUP);
    std::thread::spawn(move || commit_all(database, rows));
    let router = Router::new()
        .route("/echo", post(|body: Bytes| async { body }))
        .route(
            "/commit",
            post(move |body: Bytes| commit(queue.clone(), body)),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let listening = format!("http://{}", listener.local_addr()?);
    println!("{}", serde_json::json!({ "listening": listening }));
    std::io::stdout().flush()?;
    axum::serve(listener, router).await?;
    Ok(())
}

async fn commit(queue: SyncSender<Row>, body: Bytes) -> (StatusCode, Bytes) {
    let (done, kept) = oneshot::channel();
    if queue.try_send((body.clone(), done)).is_ok() && kept.await == Ok(true) {
        (StatusCode::OK, body)
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Bytes::new())
    }
}

fn commit_all(mut database: Connection, rows: Receiver<Row>) {
    while let Ok(first) = rows.recv() {
        let group: Vec<Row> = std::iter::once(first)
            .chain(rows.try_iter().take(GROUP - 1))
            .collect();
        let kept = commit_group(&mut database, &group).is_ok();
        for (_, done) in group {
            // Who no longer waits has lost its connection.
            let Ok(()) = done.send(kept) else { continue };
        }
    }
}

fn commit_group(database: &mut Connection, group: &[Row]) -> rusqlite::Result<()> {
    let transaction = database.transaction()?;
    for (body, _) in group {
        let sql = "INSERT INTO bodies (bytes) VALUES (?1)";
        transaction.prepare_cached(sql)?.execute([&body[..]])?;
    }
    transaction.commit()
}
