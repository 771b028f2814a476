//! The last actions of this device, to be undone and done again one after another. They stay on this device.
//!
//! Actions are in the order in which they were done. What is undone is always at the end: a new action takes the place of
//! everything that was undone before it.

use rusqlite::OptionalExtension;

use crate::error::StoreError;
use crate::replica::{Reader, Writer};

/// How many actions are kept: more than anybody takes back one by one.
const KEPT: i64 = 200;

/// One action that can be undone, or done again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ActionRow {
    /// Its number.
    pub number: i64,
    /// What was done, in the caller's words.
    pub json: String,
}

impl Reader<'_> {
    /// Returns the last action that is not undone; with `undone`, the first one that is.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn action(&self, undone: bool) -> Result<Option<ActionRow>, StoreError> {
        let query = if undone {
            "SELECT number, json FROM actions WHERE undone = 1 ORDER BY number LIMIT 1"
        } else {
            "SELECT number, json FROM actions WHERE undone = 0 ORDER BY number DESC LIMIT 1"
        };
        self.run(|connection| {
            connection
                .prepare_cached(query)?
                .query_row([], |row| {
                    Ok(ActionRow {
                        number: row.get(0)?,
                        json: row.get(1)?,
                    })
                })
                .optional()
        })
    }
}

impl Writer<'_> {
    /// Notes an action that was just done. What was undone before it can no longer be done again.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub fn note_action(&mut self, json: &str) -> Result<(), StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached("DELETE FROM actions WHERE undone = 1")?
                .execute([])?;
            connection
                .prepare_cached("INSERT INTO actions (undone, json) VALUES (0, ?1)")?
                .execute([json])?;
            let last = connection.last_insert_rowid();
            connection
                .prepare_cached("DELETE FROM actions WHERE number <= ?1")?
                .execute([last - KEPT])?;
            Ok(())
        })
    }

    /// Says whether an action is undone now.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub fn set_undone(&mut self, number: i64, undone: bool) -> Result<(), StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached("UPDATE actions SET undone = ?2 WHERE number = ?1")?
                .execute((number, undone))?;
            Ok(())
        })
    }

    /// Forgets an action, which can then be neither undone nor done again.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub fn forget_action(&mut self, number: i64) -> Result<(), StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached("DELETE FROM actions WHERE number = ?1")?
                .execute([number])?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Replica;
    use crate::sample::{self, read, write};

    fn step(replica: &mut Replica, undone: bool) -> Option<String> {
        let action = read(replica, |reader| reader.action(undone))?;
        write(replica, |writer| writer.set_undone(action.number, !undone));
        Some(action.json)
    }

    #[test]
    fn actions_are_undone_and_done_again_one_after_another() {
        let (_folder, mut replica) = sample::replica();
        assert_eq!(step(&mut replica, false), None);
        for json in ["a", "b", "c"] {
            write(&mut replica, |writer| writer.note_action(json));
        }
        let mut undo = |undone| step(&mut replica, undone);
        assert_eq!(undo(true), None);
        assert_eq!(undo(false).as_deref(), Some("c"));
        assert_eq!(undo(false).as_deref(), Some("b"));
        assert_eq!(undo(true).as_deref(), Some("b"));
        write(&mut replica, |writer| writer.note_action("d"));
        let mut undo = |undone| step(&mut replica, undone);
        assert_eq!(
            undo(true),
            None,
            "a new action takes the place of what was undone"
        );
        let back: Vec<_> = std::iter::from_fn(|| undo(false)).collect();
        assert_eq!(back, ["d", "b", "a"]);
    }

    #[test]
    fn the_oldest_actions_are_forgotten() {
        let (_folder, mut replica) = sample::replica();
        for number in 0..=KEPT {
            write(&mut replica, |writer| {
                writer.note_action(&number.to_string())
            });
        }
        let back: Vec<_> = std::iter::from_fn(|| step(&mut replica, false)).collect();
        assert_eq!(back.len(), 200);
        assert_eq!(back.last().map(String::as_str), Some("1"));
    }

    #[test]
    fn a_forgotten_action_is_passed_over() {
        let (_folder, mut replica) = sample::replica();
        for json in ["a", "b"] {
            write(&mut replica, |writer| writer.note_action(json));
        }
        let last = read(&replica, |reader| reader.action(false)).unwrap();
        write(&mut replica, |writer| writer.forget_action(last.number));
        assert_eq!(step(&mut replica, false).as_deref(), Some("a"));
    }
}
