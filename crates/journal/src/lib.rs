//! The journal: what an entry is, when it is valid, and how entries live in Automerge documents.
#![warn(clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod id;
mod value;

pub use id::{Actor, DocumentId, EntryId, InvalidDocumentId, InvalidEntryId};
pub use value::{Fields, Scalar, Value};
