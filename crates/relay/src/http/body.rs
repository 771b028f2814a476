//! Reading request bodies: no longer than the limit, no slower than the timeouts, no more at once than memory allows.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http_body_util::BodyExt;
use protocol::limits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use super::problem::Rejection;

/// Time without a byte after which a body is given up.
const SILENCE: Duration = Duration::from_secs(30);
/// Time for a whole body: the limit at 28 kB/s.
const WHOLE: Duration = Duration::from_secs(300);
/// Bytes of bodies in memory, at most: eight of the longest.
const IN_MEMORY: usize = 8 * limits::REQUEST_BYTES;
/// Bytes that one permit stands for.
const UNIT: usize = 1024;

/// Memory for bodies, shared by all requests, and how long it waits for them.
pub(crate) struct Bodies {
    memory: Arc<Semaphore>,
    /// Time without a byte after which a body is given up.
    pub(crate) silence: Duration,
}

/// A body in memory, which it holds a share of.
pub(super) struct Held {
    /// The bytes.
    pub(super) bytes: Vec<u8>,
    _share: Vec<OwnedSemaphorePermit>,
}

impl Default for Bodies {
    fn default() -> Self {
        Self {
            memory: Arc::new(Semaphore::new(IN_MEMORY / UNIT)),
            silence: SILENCE,
        }
    }
}

impl Bodies {
    /// Reads a body.
    ///
    /// # Errors
    /// A problem, with the rest of the body discarded where that is little.
    pub(super) async fn read(&self, mut body: Body) -> Result<Held, Rejection> {
        let end = Instant::now() + WHOLE;
        let expected = body.size_hint().exact();
        let expected = expected.and_then(|length| usize::try_from(length).ok());
        let mut held = Held {
            bytes: Vec::new(),
            _share: Vec::new(),
        };
        if let Some(length) = expected.filter(|length| *length <= limits::REQUEST_BYTES) {
            held._share.push(self.share(length, end).await?);
            held.bytes.reserve_exact(length);
        }
        while let Some(data) = next(&mut body, end, self.silence).await? {
            if held.bytes.len() + data.len() > limits::REQUEST_BYTES {
                discard(body).await;
                return Err(Rejection::too_large(
                    "the bytes of a request",
                    limits::REQUEST_BYTES,
                ));
            }
            if expected.is_none() {
                held._share.push(self.share(data.len(), end).await?);
            }
            held.bytes.extend_from_slice(&data);
        }
        Ok(held)
    }

    async fn share(&self, bytes: usize, end: Instant) -> Result<OwnedSemaphorePermit, Rejection> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        let share = Arc::clone(&self.memory).acquire_many_owned(units);
        match timeout_at(end.min(Instant::now() + self.silence), share).await {
            Ok(Ok(share)) => Ok(share),
            Ok(Err(_)) | Err(_) => Err(Rejection::unavailable("too many long requests at once")),
        }
    }
}

async fn next(
    body: &mut Body,
    end: Instant,
    silence: Duration,
) -> Result<Option<Bytes>, Rejection> {
    loop {
        let end = end.min(Instant::now() + silence);
        match timeout_at(end, body.frame()).await {
            Ok(Some(Ok(frame))) => {
                // Trailers carry nothing here.
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
            Ok(Some(Err(_))) => return Err(Rejection::malformed("the body ends early")),
            Ok(None) => return Ok(None),
            Err(_) => return Err(Rejection::malformed("the body comes too slowly")),
        }
    }
}

/// Reads the rest of a body and forgets it, as far as a refused request may go on: a client that is still sending hears
/// the answer only if the connection stays open until then.
pub(super) async fn discard(mut body: Body) {
    let read = async {
        let mut left = limits::REQUEST_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            left = left.saturating_sub(length);
            if left == 0 {
                break;
            }
        }
    };
    // Whether it came to an end or not, the answer is the same.
    drop(timeout(SILENCE, read).await);
}

#[cfg(test)]
mod tests {
    use axum::http::{StatusCode, header};
    use axum::response::IntoResponse;
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn bodies_beyond_the_memory_for_them_wait_and_then_hear_why() {
        let bodies = Bodies {
            memory: Arc::new(Semaphore::new(8)),
            silence: Duration::from_millis(50),
        };
        let read = |units: usize| bodies.read(Body::from(vec![0; units * UNIT]));
        let Ok(held) = read(6).await else {
            panic!("there is room");
        };
        let Err(refused) = read(3).await else {
            panic!("there is no room");
        };
        let answer = refused.into_response();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.headers().contains_key(header::RETRY_AFTER));
        assert!(read(2).await.is_ok(), "what fits is read");
        // One that waits is read as soon as there is room.
        let mut waiting = Box::pin(read(3));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(held);
        assert!(waiting.await.is_ok());
    }
}
