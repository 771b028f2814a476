//! The conformance suite: what every store promises, one check for each line of `guarantees.md`.
//!
//! A check is given a place, which is empty, and opens stores on it as often as it likes: several at a time are several relays
//! on the same data. An engine's own tests make places and call [`keep`].

mod envelopes;
mod journals;
mod lasting;
mod logs;
mod made;
mod snapshots;
mod tokens;

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::Storage;

/// Where data is, in which stores are opened.
pub(crate) trait Place: Send + Sync {
    /// Opens a store on the data.
    fn open(&self) -> BoxFuture<'_, Arc<dyn Storage>>;
}

type Check = fn(Arc<dyn Place>) -> BoxFuture<'static, ()>;

macro_rules! checks {
    ($($topic:ident: $($name:ident),+;)+) => {
        &[$($((stringify!($name), (|place| Box::pin($topic::$name(place))) as Check)),+),+]
    };
}

const CHECKS: &[(&str, Check)] = checks! {
    lasting: durable, atomic, seen_by_all, probed;
    journals: created_once, created_up_to_the_most;
    logs: log_grows_from_its_head, log_in_pages, log_within_quota, invite_keys_go, frontiers_hold, members_found;
    journals: erased_for_good, forgotten_by_keeper, journals_listed;
    envelopes: chains_have_no_gaps, one_place_one_envelope, envelopes_within_quota, standing_of_one_moment,
        synced_in_order, synced_with_log;
    snapshots: snapshots_kept, snapshots_fit, snapshot_parts_in_pages, chains_start_from_snapshots, pruned;
    tokens: tokens_valid_until_revoked, randoms_taken_once;
};

/// Runs every check, each at a place of its own, and fails if any fails, naming all that do.
pub(crate) async fn keep<P: Place + 'static>(mut place: impl AsyncFnMut(&'static str) -> P) {
    let mut broken = Vec::new();
    for (name, check) in CHECKS {
        let place: Arc<dyn Place> = Arc::new(place(name).await);
        if tokio::spawn(check(place)).await.is_err() {
            broken.push(*name);
        }
    }
    assert!(broken.is_empty(), "not kept: {}", broken.join(", "));
}

/// Writes twice to a new journal: a record, then an envelope.
pub(crate) async fn fill(store: &dyn Storage) -> protocol::id::JournalId {
    let (mut journal, owner) = made::begin(store, 1).await;
    made::grow(store, &mut journal, &owner, 2).await;
    made::put(store, &journal, &mut journal.chain(&owner), 1).await;
    journal.id()
}

#[test]
fn every_guarantee_has_its_check() {
    let documented = include_str!("guarantees.md").lines();
    let documented = documented.filter_map(|line| line.strip_prefix("- `")?.split('`').next());
    let checked = CHECKS.iter().map(|(name, _)| *name);
    assert_eq!(documented.collect::<Vec<_>>(), checked.collect::<Vec<_>>());
}
