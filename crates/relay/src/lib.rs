//! `ebb-relay`: the server that stores member logs, sealed keys and envelopes, and tells devices that there is news.
//!
//! It checks signatures and rules, and can open nothing: it is built on [`protocol`], which holds no cipher, and on no
//! other crate of ours. From the outside in: [`command`] is the command line; `server` accepts connections; `http` maps
//! requests to `service`, which is the relay itself; `storage` says what it asks of a store; `sqlite` is that store, or `postgres`.

pub mod command;

mod check;
mod http;
mod metrics;
mod postgres;
mod server;
mod service;
mod sqlite;
mod storage;
#[cfg(test)]
mod testing;
