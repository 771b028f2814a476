//! The journal: what an entry is, when it is valid, and how entries live in Automerge documents.
#![warn(clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod batch;
pub mod change;
pub mod document;
pub mod entry;
pub mod format;
mod id;
pub mod json;
pub mod kind;
pub mod plan;
pub mod time;
pub mod validate;
mod value;
pub mod words;

pub use id::{Actor, DocumentId, EntryId, InvalidDocumentId, InvalidEntryId};
pub use value::{Fields, Scalar, Value};
