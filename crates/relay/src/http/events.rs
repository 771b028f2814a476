//! `GET /v1/journals/{journal}/events`: server-sent events.
//!
//! An event says only that there is news. One is sent at once, so that a client that reconnects syncs; then one for each
//! append, several at once counting as one; and comments in between, so that proxies keep the connection.
//!
//! Source: WHATWG HTML, "Server-sent events".

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use protocol::id::{JournalId, KeyId};
use tokio::sync::watch;

use super::asking::{self, JournalPath};
use super::openapi::Reading;
use super::problem::Rejection;
use super::{Shared, Site};
use crate::service::{Crowded, Subscription};

/// Marks an answer whose body has no end: it is among the answer's extensions.
#[derive(Clone, Copy)]
pub(crate) struct Endless;

const NEWS: Bytes = Bytes::from_static(b"event: news\ndata: {}\n\n");
const COMMENT: Bytes = Bytes::from_static(b": still here\n\n");

struct Stream {
    site: Arc<Site>,
    journal: JournalId,
    key: KeyId,
    subscription: Subscription,
    stop: watch::Receiver<bool>,
    keep_alive: Duration,
    greeted: bool,
}

/// Streams an event whenever the journal has something new.
///
/// For devices of any role. Server-sent events: `event: news`, `data: {}`, one at once and one within a second of each
/// append; comments in between. The stream ends when the device is removed or the journal erased.
#[utoipa::path(
    get,
    path = "/v1/journals/{journal}/events",
    tag = "events",
    params(("journal" = String, Path, description = "The journal's id: 64 hex digits")),
    responses(
        (status = 200, description = "Events, until one side closes", body = String, content_type = "text/event-stream"),
        Reading,
    ),
    security(("signed" = []))
)]
pub(super) async fn events(
    State(site): Shared,
    path: JournalPath,
    request: Request,
) -> Result<Response, Rejection> {
    let asked = asking::ask_member(&site, path, request).await?;
    let subscription = site.relay.news().subscribe(asked.journal);
    let subscription = subscription.map_err(|crowded| {
        let (Crowded::Journal(limit) | Crowded::Relay(limit)) = crowded;
        Rejection::crowded(crowded.to_string(), limit)
    })?;
    let stream = Stream {
        journal: asked.journal,
        key: asked.authorization.key,
        subscription,
        stop: site.stop.clone(),
        keep_alive: site.relay.limits().keep_alive,
        site,
        greeted: false,
    };
    let body = Body::from_stream(stream::unfold(stream, |mut stream| async {
        let event = stream.next().await?;
        Some((Ok::<_, std::convert::Infallible>(event), stream))
    }));
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // nginx holds answers back otherwise.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((Extension(Endless), headers, body).into_response())
}

impl Stream {
    /// Waits for what to send next; none when the server stops, or the news is that the device is a member no more.
    async fn next(&mut self) -> Option<Bytes> {
        if !self.greeted {
            self.greeted = true;
            return Some(NEWS);
        }
        let event = tokio::select! {
            biased;
            _ = self.stop.wait_for(|stop| *stop) => return None,
            () = self.subscription.next() => NEWS,
            () = tokio::time::sleep(self.keep_alive) => return Some(COMMENT),
        };
        let member = self.site.relay.is_member(self.journal, &self.key);
        member.await.then_some(event)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use http_body_util::BodyExt;
    use protocol::api::{Appended, LogPage, ProblemKind};

    use super::*;
    use crate::service::Limits;
    use crate::testing::{Bench, Journal, Keys, NOW, ORIGIN};

    async fn listen(bench: &Bench, keys: &Keys, journal: &Journal) -> Response {
        let request = ("GET", &*journal.path("events"), b"".as_slice());
        let proof = bench.sign(keys, request, ORIGIN, NOW);
        bench.respond(request, Some(&proof), None).await
    }

    async fn event(body: &mut Body) -> Option<Bytes> {
        let frame = body.frame().await?;
        frame.unwrap().into_data().ok()
    }

    #[tokio::test]
    async fn there_is_an_event_at_once_and_one_for_what_is_appended() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let mut journal = bench.journal(&owner).await;
        let response = listen(&bench, &owner, &journal).await;
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "text/event-stream"
        );
        let mut body = response.into_body();
        assert_eq!(event(&mut body).await, Some(NEWS));
        assert!(event(&mut body).now_or_never().is_none());

        let mut chain = journal.chain(&owner);
        let envelope = chain.seal(10);
        let append = chain.append(vec![envelope]);
        let path = journal.path("envelopes");
        let _: Appended = bench.post(&owner, &path, &append).await.message();
        assert_eq!(event(&mut body).now_or_never(), Some(Some(NEWS)));
        // The same again is nothing new.
        let _: Appended = bench.post(&owner, &path, &append).await.message();
        assert!(event(&mut body).now_or_never().is_none());

        let (record, blob) = journal.invite(&owner, &Keys::of(2), NOW + 60);
        let append = journal.append(record, Some(blob));
        let _: LogPage = bench
            .post(&owner, &journal.path("log"), &append)
            .await
            .message();
        assert_eq!(event(&mut body).now_or_never(), Some(Some(NEWS)));
    }

    #[tokio::test]
    async fn a_quiet_stream_is_kept_alive() {
        let limits = Limits {
            keep_alive: Duration::from_millis(1),
            ..Limits::default()
        };
        let bench = Bench::with(limits).await;
        let owner = Keys::of(1);
        let journal = bench.journal(&owner).await;
        let mut body = listen(&bench, &owner, &journal).await.into_body();
        assert_eq!(event(&mut body).await, Some(NEWS));
        for _ in 0..3 {
            assert_eq!(event(&mut body).await, Some(COMMENT));
        }
    }

    #[tokio::test]
    async fn a_stream_ends_when_the_server_stops() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let journal = bench.journal(&owner).await;
        let mut body = listen(&bench, &owner, &journal).await.into_body();
        assert_eq!(event(&mut body).await, Some(NEWS));
        bench.stop.send_replace(true);
        assert_eq!(event(&mut body).await, None);
    }

    #[tokio::test]
    async fn streams_are_counted() {
        let limits = Limits {
            subscribers_per_journal: 1,
            ..Limits::default()
        };
        let bench = Bench::with(limits).await;
        let owner = Keys::of(1);
        let journal = bench.journal(&owner).await;
        let first = listen(&bench, &owner, &journal).await;
        assert_eq!(first.status(), 200);
        let answer = bench.get(&owner, &journal.path("events")).await;
        let problem = answer.problem(429, ProblemKind::TooMany);
        assert_eq!(problem.limit, Some(1));
        assert!(answer.headers.contains_key(header::RETRY_AFTER));
        drop(first);
        assert_eq!(listen(&bench, &owner, &journal).await.status(), 200);
    }
}
