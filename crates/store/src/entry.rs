//! Entries, as the read model of the documents shows them: typed columns to find them by, and their JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use protocol::id::ChainId;
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row};

use crate::error::StoreError;
use crate::member::{self, Author};
use crate::replica::{Reader, Writer};

/// An entry's id: the sixteen bytes of a UUID. Its text is the canonical one, lower case with hyphens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EntryKey(pub [u8; 16]);

impl fmt::Display for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(36);
        for (place, byte) in self.0.iter().enumerate() {
            if matches!(place, 4 | 6 | 8 | 10) {
                text.push('-');
            }
            let digits = [byte >> 4, byte & 15].map(u32::from);
            text.extend(
                digits
                    .iter()
                    .filter_map(|digit| char::from_digit(*digit, 16)),
            );
        }
        f.write_str(&text)
    }
}

/// An entry to be shown in lists.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EntryRow {
    /// Its id.
    pub id: EntryKey,
    /// Its kind.
    pub kind: String,
    /// When it happened, in milliseconds since 1970.
    pub at_ms: i64,
    /// Whether it is deleted.
    pub deleted: bool,
    /// The chain that carried its first change.
    pub chain: ChainId,
    /// When it was last changed, in milliseconds since 1970.
    pub changed_ms: i64,
    /// What a search looks through: its words, in any case.
    pub text: String,
    /// All of it.
    pub json: String,
}

/// An entry as a list shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedEntry {
    /// Its id.
    pub id: EntryKey,
    /// Its kind.
    pub kind: String,
    /// When it happened, in milliseconds since 1970.
    pub at_ms: i64,
    /// Whether it is deleted.
    pub deleted: bool,
    /// The chain that carried its first change.
    pub chain: ChainId,
    /// Who writes that chain; none if no member is known for it.
    pub author: Option<Arc<Author>>,
    /// When it was last changed, in milliseconds since 1970.
    pub changed_ms: i64,
    /// All of it.
    pub json: String,
}

/// The order of a list: by time, then by id.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Order {
    /// The oldest first.
    #[default]
    OldestFirst,
    /// The newest first.
    NewestFirst,
}

/// Which entries to list. The default is all that are not deleted, oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EntryFilter {
    /// Not before this instant, in milliseconds since 1970.
    pub since_ms: Option<i64>,
    /// Before this instant, in milliseconds since 1970.
    pub until_ms: Option<i64>,
    /// Of one of these kinds; of any, if empty.
    pub kinds: Vec<String>,
    /// Deleted ones too.
    pub with_deleted: bool,
    /// Written by a person of this name, in any case.
    pub person_name: Option<String>,
    /// With this text among the words, in any case.
    pub search: Option<String>,
    /// At most so many.
    pub limit: Option<usize>,
    /// In which order.
    pub order: Order,
}

impl EntryFilter {
    /// Returns the query and its parameters: all that SQLite decides. Person and limit are left to the caller.
    fn query(&self) -> (String, Vec<Value>) {
        let mut query = format!("{ENTRY} WHERE true");
        let mut values = Vec::new();
        let mut also = |condition: &str, value: Value| {
            query.push_str(" AND ");
            query.push_str(condition);
            values.push(value);
        };
        if let Some(since) = self.since_ms {
            also("at_ms >= ?", since.into());
        }
        if let Some(until) = self.until_ms {
            also("at_ms < ?", until.into());
        }
        if let Some(search) = &self.search {
            also("instr(text, ?) > 0", folded(search).into());
        }
        if let [kind] = self.kinds.as_slice() {
            also("kind = ?", kind.clone().into());
        } else if !self.kinds.is_empty() {
            let marks = vec!["?"; self.kinds.len()].join(", ");
            query.push_str(&format!(" AND kind IN ({marks})"));
            values.extend(self.kinds.iter().cloned().map(Value::from));
        }
        if !self.with_deleted {
            query.push_str(" AND deleted = 0");
        }
        query.push_str(match self.order {
            Order::OldestFirst => " ORDER BY at_ms, id",
            Order::NewestFirst => " ORDER BY at_ms DESC, id DESC",
        });
        (query, values)
    }
}

const ENTRY: &str = "SELECT id, kind, at_ms, deleted, chain, changed_ms, json FROM entries";

fn listed(
    row: &Row<'_>,
    authors: &BTreeMap<ChainId, Arc<Author>>,
) -> rusqlite::Result<ListedEntry> {
    let chain = ChainId(row.get(4)?);
    Ok(ListedEntry {
        id: EntryKey(row.get(0)?),
        kind: row.get(1)?,
        at_ms: row.get(2)?,
        deleted: row.get(3)?,
        chain,
        author: authors.get(&chain).cloned(),
        changed_ms: row.get(5)?,
        json: row.get(6)?,
    })
}

/// Returns text as search compares it.
fn folded(text: &str) -> String {
    text.to_lowercase()
}

impl Reader<'_> {
    /// Returns an entry, deleted or not; none if there is none of that id.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn entry(&self, id: &EntryKey) -> Result<Option<ListedEntry>, StoreError> {
        self.run(|connection| {
            let authors = member::authors(connection)?;
            connection
                .prepare_cached(&format!("{ENTRY} WHERE id = ?1"))?
                .query_row([&id.0], |row| listed(row, &authors))
                .optional()
        })
    }

    /// Returns the entries that a filter lets through.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub fn entries(&self, filter: &EntryFilter) -> Result<Vec<ListedEntry>, StoreError> {
        let mut entries = Vec::new();
        self.each_entry(filter, |entry| {
            entries.push(entry);
            ControlFlow::Continue(())
        })?;
        Ok(entries)
    }

    /// Gives the entries that a filter lets through to `take`, one after another, until it breaks.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub fn each_entry(
        &self,
        filter: &EntryFilter,
        mut take: impl FnMut(ListedEntry) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let (query, values) = filter.query();
        let name = filter.person_name.as_deref().map(folded);
        let mut left = filter.limit.unwrap_or(usize::MAX);
        self.run(|connection| {
            let authors = member::authors(connection)?;
            let mut statement = connection.prepare_cached(&query)?;
            let mut rows = statement.query(rusqlite::params_from_iter(values))?;
            while left > 0
                && let Some(row) = rows.next()?
            {
                let entry = listed(row, &authors)?;
                if let Some(name) = &name
                    && entry
                        .author
                        .as_ref()
                        .is_none_or(|author| folded(&author.person_name) != *name)
                {
                    continue;
                }
                left -= 1;
                if take(entry).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    /// Returns the number of entries, without or with deleted ones.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn entry_count(&self, with_deleted: bool) -> Result<u64, StoreError> {
        let count: i64 = self.run(|connection| {
            connection
                .prepare_cached("SELECT count(*) FROM entries WHERE deleted = 0 OR ?1")?
                .query_row([with_deleted], |row| row.get(0))
        })?;
        Ok(count.unsigned_abs())
    }
}

impl Writer<'_> {
    /// Puts entries into lists, in place of those of the same id.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be written.
    pub fn put_entries(&mut self, entries: &[EntryRow]) -> Result<(), StoreError> {
        self.run(|connection| {
            let mut insert = connection.prepare_cached(
                "INSERT OR REPLACE INTO entries
                 (id, kind, at_ms, deleted, chain, changed_ms, text, json)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?;
            for entry in entries {
                insert.execute((
                    &entry.id.0,
                    &entry.kind,
                    entry.at_ms,
                    entry.deleted,
                    &entry.chain.0,
                    entry.changed_ms,
                    folded(&entry.text),
                    &entry.json,
                ))?;
            }
            Ok(())
        })
    }

    /// Takes an entry out of lists. Returns `false` if it was in none.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub fn remove_entry(&mut self, id: &EntryKey) -> Result<bool, StoreError> {
        self.run(|connection| {
            let removed = connection
                .prepare_cached("DELETE FROM entries WHERE id = ?1")?
                .execute([&id.0])?;
            Ok(removed > 0)
        })
    }

    /// Empties the read model, to rebuild it: no entries, no members.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub fn clear_read_model(&mut self) -> Result<(), StoreError> {
        self.run(|connection| connection.execute_batch("DELETE FROM entries; DELETE FROM members;"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::sample::{self, DEVICE, entry, member, read, write};

    use super::*;

    fn entries() -> impl Strategy<Value = Vec<EntryRow>> {
        let row = (
            0_u128..30,
            0_usize..3,
            -3_i64..3,
            any::<bool>(),
            any::<bool>(),
        );
        let row = row.prop_map(|(id, kind, at_ms, deleted, own)| EntryRow {
            deleted,
            chain: if own {
                sample::own_chain()
            } else {
                sample::other_chain()
            },
            ..entry(id, ["dose", "fatigue", "note"][kind], at_ms)
        });
        prop::collection::vec(row, 0..40)
    }

    fn filters() -> impl Strategy<Value = EntryFilter> {
        let instant = || prop::option::of(-3_i64..4);
        let kinds = prop::sample::subsequence(vec!["dose", "fatigue", "note"], 0..=3);
        let words = prop::option::of(prop::sample::select(vec!["WORDS", "of 1", "none"]));
        let person = prop::option::of(prop::sample::select(vec!["ÉVA", "Sam"]));
        let rest = (any::<bool>(), prop::option::of(0_usize..10), any::<bool>());
        (instant(), instant(), kinds, words, person, rest).prop_map(
            |(since_ms, until_ms, kinds, search, person, (with_deleted, limit, newest))| {
                EntryFilter {
                    since_ms,
                    until_ms,
                    kinds: kinds.into_iter().map(str::to_owned).collect(),
                    with_deleted,
                    person_name: person.map(str::to_owned),
                    search: search.map(str::to_owned),
                    limit,
                    order: if newest {
                        Order::NewestFirst
                    } else {
                        Order::OldestFirst
                    },
                }
            },
        )
    }

    /// What the filter means, said without SQL.
    fn expected(rows: &[EntryRow], filter: &EntryFilter) -> Vec<EntryKey> {
        let last: BTreeMap<_, _> = rows.iter().map(|row| (row.id, row)).collect();
        let mut rows: Vec<_> = last.into_values().collect();
        rows.retain(|row| {
            filter.since_ms.is_none_or(|since| row.at_ms >= since)
                && filter.until_ms.is_none_or(|until| row.at_ms < until)
                && (filter.kinds.is_empty() || filter.kinds.contains(&row.kind))
                && (filter.with_deleted || !row.deleted)
                && filter
                    .search
                    .as_ref()
                    .is_none_or(|words| row.text.to_lowercase().contains(&words.to_lowercase()))
                && filter
                    .person_name
                    .as_ref()
                    .is_none_or(|name| name == "ÉVA" && row.chain == sample::own_chain())
        });
        rows.sort_by_key(|row| (row.at_ms, row.id));
        if filter.order == Order::NewestFirst {
            rows.reverse();
        }
        rows.truncate(filter.limit.unwrap_or(usize::MAX));
        rows.into_iter().map(|row| row.id).collect()
    }

    #[test]
    fn lists_hold_what_the_filter_says_in_its_order() {
        let (_folder, mut replica) = sample::replica();
        write(&mut replica, |writer| {
            writer.put_members(&[member(DEVICE, 1, "Éva")])
        });
        let replica = std::cell::RefCell::new(replica);
        proptest!(|(rows in entries(), filter in filters())| {
            // Rolled back, so that no case pays for a commit.
            let outcome: Result<(), Rollback> = replica.borrow_mut().write(|writer| {
                writer.put_entries(&rows)?;
                let listed = writer.entries(&filter)?;
                Err(Rollback(listed.into_iter().map(|entry| entry.id).collect()))
            });
            let Err(Rollback(listed)) = outcome else { panic!("committed") };
            prop_assert_eq!(listed, expected(&rows, &filter));
        });
    }

    struct Rollback(Vec<EntryKey>);

    impl From<StoreError> for Rollback {
        fn from(error: StoreError) -> Self {
            panic!("{error}")
        }
    }

    #[test]
    fn an_entry_is_replaced_found_and_removed() {
        let (_folder, mut replica) = sample::replica();
        let mut row = entry(7, "fatigue", 10);
        write(&mut replica, |writer| {
            writer.put_members(&[member(DEVICE, 1, "Ana")])?;
            writer.put_entries(std::slice::from_ref(&row))?;
            row.json = "{}".to_owned();
            row.deleted = true;
            writer.put_entries(std::slice::from_ref(&row))
        });
        let found = read(&replica, |reader| reader.entry(&row.id)).unwrap();
        assert_eq!((found.json.as_str(), found.deleted), ("{}", true));
        assert_eq!(found.author.unwrap().device_name, "laptop of Ana");
        assert_eq!(read(&replica, |reader| reader.entry_count(false)), 0);
        assert_eq!(read(&replica, |reader| reader.entry_count(true)), 1);
        assert!(write(&mut replica, |writer| writer.remove_entry(&row.id)));
        assert!(!write(&mut replica, |writer| writer.remove_entry(&row.id)));
        assert_eq!(read(&replica, |reader| reader.entry(&row.id)), None);
    }

    #[test]
    fn a_list_stops_when_it_is_told() {
        let (_folder, mut replica) = sample::replica();
        let rows: Vec<_> = (0..5).map(|id| entry(id, "note", 0)).collect();
        write(&mut replica, |writer| writer.put_entries(&rows));
        let mut seen = 0;
        read(&replica, |reader| {
            reader.each_entry(&EntryFilter::default(), |_| {
                seen += 1;
                if seen == 2 {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })
        });
        assert_eq!(seen, 2);
    }

    #[test]
    fn filters_use_an_index_and_sort_nothing() {
        let (_folder, replica) = sample::replica();
        let plan = |filter: EntryFilter| {
            let (query, values) = filter.query();
            read(&replica, |reader| {
                reader.run(|connection| {
                    connection
                        .prepare(&format!("EXPLAIN QUERY PLAN {query}"))?
                        .query_map(rusqlite::params_from_iter(values), |row| row.get(3))?
                        .collect::<Result<Vec<String>, _>>()
                })
            })
            .join("; ")
        };
        let all = plan(EntryFilter::default());
        assert_eq!(all, "SCAN entries USING INDEX entries_by_at");
        let today = plan(EntryFilter {
            since_ms: Some(0),
            until_ms: Some(1),
            order: Order::NewestFirst,
            ..EntryFilter::default()
        });
        assert_eq!(
            today,
            "SEARCH entries USING INDEX entries_by_at (at_ms>? AND at_ms<?)"
        );
        let doses = plan(EntryFilter {
            kinds: vec!["dose".to_owned()],
            since_ms: Some(0),
            ..EntryFilter::default()
        });
        assert_eq!(
            doses,
            "SEARCH entries USING INDEX entries_by_kind (kind=? AND at_ms>?)"
        );
    }
}
