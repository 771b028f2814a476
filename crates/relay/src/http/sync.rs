//! `POST /v1/journals/{journal}/sync`.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use protocol::api::{SyncAnswer, SyncRequest};
use protocol::cbor::Bytes;
use protocol::limits;

use super::asking::{self, JournalPath};
use super::openapi::Reading;
use super::problem::Rejection;
use super::{Shared, answer};
use crate::service;
use crate::storage::{LogHead, SyncQuery};

/// Answers everything that the client's vector lacks.
///
/// For devices of any role. Envelopes come in the order in which they were stored, up to 4 MiB of them, at least one; ask
/// again with the vector they make while there are more.
#[utoipa::path(
    post,
    path = "/v1/journals/{journal}/sync",
    tag = "envelopes",
    params(("journal" = String, Path, description = "The journal's id: 64 hex digits")),
    request_body(content = ref("#/components/schemas/SyncRequest"), content_type = "application/cbor"),
    responses(
        (status = 200, description = "What the client lacks", body = ref("#/components/schemas/SyncAnswer"), content_type = "application/cbor"),
        Reading,
    ),
    security(("signed" = []))
)]
pub(super) async fn sync(
    State(site): Shared,
    path: JournalPath,
    request: Request,
) -> Result<Response, Rejection> {
    let asked = asking::ask_member(&site, path, request).await?;
    let SyncRequest {
        log_length,
        head,
        vector,
    } = asked.message()?;
    if vector.0.len() > limits::VECTOR_CHAINS {
        return Err(Rejection::too_large(
            "the chains of a vector",
            limits::VECTOR_CHAINS,
        ));
    }
    let query = SyncQuery {
        log: LogHead {
            length: log_length,
            hash: head,
        },
        vector,
        page: limits::PAGE_BYTES,
    };
    let Some(page) = site.relay.storage().sync(asked.journal, query).await? else {
        return Err(asking::missing(&site, asked.journal).await);
    };
    let message = SyncAnswer {
        log: service::page(page.log),
        envelopes: page.envelopes.into_iter().map(Bytes).collect(),
        more: page.more,
        heads: page.heads,
        quota: site.relay.quota(page.used),
    };
    Ok(answer::cbor(StatusCode::OK, &message))
}

#[cfg(test)]
mod tests {
    use protocol::api::{Appended, ProblemKind, SyncAnswer, SyncRequest};
    use protocol::cbor::Bytes;
    use protocol::envelope::Envelope;
    use protocol::id::{ChainId, EnvelopeHash, RecordHash, Seq};
    use protocol::limits::{PAGE_BYTES, VECTOR_CHAINS};
    use protocol::vector::{Position, Vector};

    use crate::testing::{Bench, Journal, Keys};

    fn asking(journal: &Journal, vector: Vector) -> SyncRequest {
        SyncRequest {
            log_length: journal.log.length(),
            head: journal.log.head(),
            vector,
        }
    }

    /// Returns the vector of one who has these envelopes.
    fn vector(envelopes: &[Bytes]) -> Vector {
        let positions = envelopes.iter().map(|bytes| {
            let envelope = Envelope::parse(bytes.0.clone()).unwrap();
            let position = Position {
                seq: envelope.header().seq,
                hash: envelope.hash(),
            };
            (envelope.header().chain(), position)
        });
        Vector(positions.collect())
    }

    #[tokio::test]
    async fn one_who_has_everything_hears_so() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let journal = bench.journal(&owner).await;
        let path = journal.path("sync");
        let request = asking(&journal, Vector::default());
        let answer: SyncAnswer = bench.post(&owner, &path, &request).await.message();
        assert_eq!(
            (answer.log.length, answer.log.head),
            (1, journal.log.head())
        );
        assert!(answer.log.records.is_empty() && answer.envelopes.is_empty() && !answer.more);
        assert_eq!(answer.heads, Vector::default());
        assert!(answer.quota.used > 0 && answer.quota.used < answer.quota.limit);
    }

    #[tokio::test]
    async fn what_the_vector_lacks_comes_in_the_order_it_was_stored() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let mut journal = bench.journal(&owner).await;
        let device = bench.join(&mut journal, &owner, 10).await;
        let (mut one, mut two) = (journal.chain(&owner), journal.chain(&device));
        let path = journal.path("envelopes");
        let mut all = Vec::new();
        for _ in 0..3 {
            for (keys, chain) in [(&owner, &mut one), (&device, &mut two)] {
                let envelope = chain.seal(100);
                let append = chain.append(vec![envelope.clone()]);
                let stored: Appended = bench.post(keys, &path, &append).await.message();
                assert_eq!(stored.refused, []);
                all.push(envelope);
            }
        }
        let sync = journal.path("sync");
        for known in [0, 1, 2, 5, 6] {
            let request = asking(&journal, vector(&all[..known]));
            let answer: SyncAnswer = bench.post(&owner, &sync, &request).await.message();
            assert_eq!(answer.envelopes, all[known..], "knowing {known}");
            assert!(!answer.more);
            assert_eq!(answer.heads, vector(&all));
        }
        // One chain known to its end, of the other nothing.
        let mine: Vec<_> = all.iter().step_by(2).cloned().collect();
        let request = asking(&journal, vector(&mine));
        let answer: SyncAnswer = bench.post(&owner, &sync, &request).await.message();
        let theirs: Vec<_> = all.iter().skip(1).step_by(2).cloned().collect();
        assert_eq!(answer.envelopes, theirs);
    }

    #[tokio::test]
    async fn long_answers_come_in_pages() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let journal = bench.journal(&owner).await;
        let mut chain = journal.chain(&owner);
        let mut all = Vec::new();
        for _ in 0..4 {
            let pair = vec![chain.seal(PAGE_BYTES / 3), chain.seal(PAGE_BYTES / 3)];
            all.extend(pair.clone());
            let append = chain.append(pair);
            let answer = bench
                .post(&owner, &journal.path("envelopes"), &append)
                .await;
            let _: Appended = answer.message();
        }
        let (mut have, mut pages) = (Vec::new(), 0);
        loop {
            let request = asking(&journal, vector(&have));
            let answer = bench.post(&owner, &journal.path("sync"), &request).await;
            let answer: SyncAnswer = answer.message();
            let bytes: usize = answer
                .envelopes
                .iter()
                .map(|envelope| envelope.0.len())
                .sum();
            assert!(!answer.envelopes.is_empty() && bytes <= PAGE_BYTES);
            have.extend(answer.envelopes);
            pages += 1;
            if !answer.more {
                break;
            }
        }
        assert_eq!((have, pages), (all, 4));
    }

    #[tokio::test]
    async fn a_client_behind_is_given_the_log_and_a_client_elsewhere_only_its_end() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let mut journal = bench.journal(&owner).await;
        let before = journal.clone();
        bench.join(&mut journal, &owner, 10).await;
        let path = journal.path("sync");
        let request = asking(&before, Vector::default());
        let answer: SyncAnswer = bench.post(&owner, &path, &request).await.message();
        assert_eq!(answer.log.records, journal.records[1..]);
        assert_eq!(answer.log.blobs, journal.blobs[2..]);
        for (log_length, head) in [
            (1, RecordHash([9; 32])),
            (3, RecordHash([9; 32])),
            (4, journal.log.head()),
            (u32::MAX, journal.log.head()),
        ] {
            let request = SyncRequest {
                log_length,
                head,
                vector: Vector::default(),
            };
            let answer: SyncAnswer = bench.post(&owner, &path, &request).await.message();
            assert_eq!(
                (answer.log.length, answer.log.head),
                (3, journal.log.head())
            );
            assert!(answer.log.records.is_empty());
        }
    }

    #[tokio::test]
    async fn strange_vectors_do_no_harm() {
        let bench = Bench::new().await;
        let owner = Keys::of(1);
        let journal = bench.journal(&owner).await;
        let mut chain = journal.chain(&owner);
        let envelope = chain.seal(10);
        let own = *vector(std::slice::from_ref(&envelope))
            .0
            .keys()
            .next()
            .unwrap();
        let append = chain.append(vec![envelope]);
        let _: Appended = bench
            .post(&owner, &journal.path("envelopes"), &append)
            .await
            .message();
        let position = |seq| Position {
            seq: Seq(seq),
            hash: EnvelopeHash([0; 32]),
        };
        for seq in [1, 2, u64::MAX - 1, u64::MAX] {
            let vector = Vector([(own, position(seq)), (ChainId([9; 16]), position(seq))].into());
            let request = asking(&journal, vector);
            let answer = bench.post(&owner, &journal.path("sync"), &request).await;
            let answer: SyncAnswer = answer.message();
            assert!(answer.envelopes.is_empty() && !answer.more);
            assert_eq!(answer.heads.seq(&own), Seq(1));
        }
        let chains = (0..=u16::try_from(VECTOR_CHAINS).unwrap()).map(|number| {
            let [high, low] = number.to_be_bytes();
            let mut id = [0; 16];
            id[..2].copy_from_slice(&[high, low]);
            (ChainId(id), position(1))
        });
        let request = asking(&journal, Vector(chains.collect()));
        let answer = bench.post(&owner, &journal.path("sync"), &request).await;
        answer.problem(413, ProblemKind::TooLarge);
    }
}
