//! The simulator: many devices, relays that lie, members that cheat, in one deterministic world without clocks or threads.
//!
//! Runs the real `sync`, `seal`, `protocol` and `journal` code over disks in memory. A seed determines a history to the
//! last byte. What each part owns: `world` what happens, `machine` and `driver` one installation, `merge` and `rebuild` what
//! the client does with envelopes, `members` the member log, `relay` and `network` the other side, `hostile` what cheats
//! try, `ledger`, `loss` and `check` what must hold; `snapshots`, `compare`
//! and `pruning` are either side of snapshots.
//!
//! Left out, because nothing mends it yet: two valid member logs (an owner would have to renew the journal), so nobody
//! changes members while the home relay has less of the log than somebody verified; two envelopes of *another's* chain at one place,
//! so machines are copied or restored only while one relay keeps what it has; a frontier that excludes what somebody took in from
//! a snapshot, so none such is pinned; bundles and renewal themselves. An invite that waits for approval and the recovery phrase are left to the end-to-end tests.

mod check;
mod compare;
mod disk;
mod driver;
mod hostile;
mod ledger;
mod loss;
mod machine;
mod members;
mod merge;
mod network;
mod pruning;
mod random;
mod rebuild;
mod relay;
mod snapshots;
mod world;

use std::panic::catch_unwind;

use world::World;

/// What to simulate.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Steps of one history.
    pub steps: u64,
    /// Devices that are members at a time.
    pub devices: usize,
    /// Tell every event on stderr.
    pub verbose: bool,
}

/// Runs one history.
///
/// # Errors
/// What broke, in words.
pub fn run(seed: u64, options: &Options) -> Result<(), String> {
    // That nothing panics, whatever bytes come in, is an invariant like the others.
    let history = || World::new(seed, options).run(options.steps);
    catch_unwind(history).unwrap_or_else(|panic| {
        let what = panic.downcast_ref::<String>().map(String::as_str);
        let what = what.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("it panicked: {}", what.unwrap_or("of something")))
    })
}
