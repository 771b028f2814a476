//! End to end: the two programs as people run them, over loopback, in a cleared environment.
//!
//! Drives only `ebb` and `ebb-relay`, by their contract: arguments, exit codes, JSON, and what must not be found in
//! bytes; and `rogue`, where it takes a client that keeps to no rule. The first six modules are the stage; each of the others tells one part of what must hold.

mod binaries;
mod home;
mod proxy;
mod relay;
mod rogue;
mod wait;

mod bad_input;
mod disk;
mod formats;
mod hostile;
mod hostile_batches;
mod kill;
mod kinds;
mod live;
mod lying_relay;
mod newer;
mod nodes;
mod offline;
mod plan;
mod recovery;
mod removal;
mod report;
mod roles;
mod settings;
mod sharing;
mod snapshots;
