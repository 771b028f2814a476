//! Reading for the statistics: every entry that stands, with who recorded it, up to now.
//!
//! Rows become entries one at a time, and no short ids are reckoned: ten years are read at once here.

use std::ops::ControlFlow;

use jiff::Timestamp;
use journal::entry::{Author, Entry};
use store::entry::{EntryFilter, Order};

use crate::journal::{DamagedReplica, Journal};
use crate::query::{EntryView, ReadError};

impl Journal {
    /// Returns the entries that stand and happened before an instant, by time, each with who recorded it.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn logged(&self, until: Timestamp) -> Result<Vec<(Entry, Author)>, ReadError> {
        let path = self.path();
        let wanted = EntryFilter {
            until_ms: Some(until.as_millisecond()),
            order: Order::OldestFirst,
            ..EntryFilter::default()
        };
        self.replica.read(|reader| {
            let mut logged = Vec::new();
            let mut damaged = false;
            reader.each_entry(&wanted, |listed| {
                match EntryView::of(listed, String::new()) {
                    Some(EntryView { entry, author, .. }) => logged.push((entry, author)),
                    None => damaged = true,
                }
                if damaged {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })?;
            if damaged {
                return Err(DamagedReplica::Entry { path }.into());
            }
            Ok(logged)
        })
    }
}
