//! Members, as the read model of the member log shows them, with names in the clear.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::id::{ChainId, KeyId, PersonId};
use protocol::role::Role;
use rusqlite::{Connection, Row};

use crate::column::{integer, number, unknown_word};
use crate::error::StoreError;
use crate::replica::{Reader, Writer};

/// One device of a person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemberRow {
    /// The device.
    pub device: KeyId,
    /// Its name.
    pub device_name: String,
    /// The person.
    pub person: PersonId,
    /// The person's name.
    pub person_name: String,
    /// What the device may do; none if it was removed or waits for approval. Its entries are shown with its names.
    pub role: Option<Role>,
    /// When it joined, in seconds since 1970, as its record says.
    pub joined: u64,
    /// Whether it is a recovery phrase on paper.
    pub paper: bool,
}

/// Who wrote an entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Author {
    /// The device.
    pub device: KeyId,
    /// Its name.
    pub device_name: String,
    /// The person.
    pub person: PersonId,
    /// The person's name.
    pub person_name: String,
    /// The device whose snapshot made the chain known, if its start was never seen.
    pub vouched_by: Option<KeyId>,
}

fn member(row: &Row<'_>) -> rusqlite::Result<MemberRow> {
    let role: Option<String> = row.get(4)?;
    Ok(MemberRow {
        device: KeyId(row.get(0)?),
        device_name: row.get(1)?,
        person: PersonId(row.get(2)?),
        person_name: row.get(3)?,
        role: role
            .map(|role| role.parse())
            .transpose()
            .map_err(|error| unknown_word(4, error))?,
        joined: number(row, 5)?,
        paper: row.get(6)?,
    })
}

impl Reader<'_> {
    /// Returns all devices, in the order in which they were put.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub fn members(&self) -> Result<Vec<MemberRow>, StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached(
                    "SELECT device, device_name, person, person_name, role, joined, paper
                     FROM members ORDER BY position",
                )?
                .query_map([], member)?
                .collect()
        })
    }

    /// Returns who writes each chain, as far as members are known.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub fn authors(&self) -> Result<BTreeMap<ChainId, Arc<Author>>, StoreError> {
        self.run(authors)
    }
}

pub(crate) fn authors(connection: &Connection) -> rusqlite::Result<BTreeMap<ChainId, Arc<Author>>> {
    connection
        .prepare_cached(
            "SELECT c.id, m.device, m.device_name, m.person, m.person_name, c.vouched_by
             FROM chains c JOIN members m ON m.device = c.device",
        )?
        .query_map([], |row| {
            let author = Author {
                device: KeyId(row.get(1)?),
                device_name: row.get(2)?,
                person: PersonId(row.get(3)?),
                person_name: row.get(4)?,
                vouched_by: row.get::<_, Option<_>>(5)?.map(KeyId),
            };
            Ok((ChainId(row.get(0)?), Arc::new(author)))
        })?
        .collect()
}

impl Writer<'_> {
    /// Replaces all devices by these.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be written.
    pub fn put_members(&mut self, members: &[MemberRow]) -> Result<(), StoreError> {
        self.run(|connection| {
            connection.execute("DELETE FROM members", [])?;
            let mut insert = connection.prepare_cached(
                "INSERT OR REPLACE INTO members
                 (device, position, device_name, person, person_name, role, joined, paper)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?;
            for (position, member) in (0_i64..).zip(members) {
                insert.execute((
                    &member.device.0,
                    position,
                    &member.device_name,
                    &member.person.0,
                    &member.person_name,
                    member.role.map(|role| role.to_string()),
                    integer(member.joined),
                    member.paper,
                ))?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::sample::{self, DEVICE, OTHER, member, read, write};

    use super::*;

    #[test]
    fn members_are_replaced_all_at_once_and_keep_their_order() {
        let (_folder, mut replica) = sample::replica();
        let mut ana = member(OTHER.0, 1, "Ana");
        ana.role = Some(Role::Owner);
        let mut sam = member(DEVICE, 2, "Sam");
        sam.role = None;
        sam.paper = true;
        for members in [vec![member(DEVICE, 3, "Kim")], vec![ana, sam]] {
            write(&mut replica, |writer| writer.put_members(&members));
            assert_eq!(read(&replica, |reader| reader.members()), members);
        }
    }

    #[test]
    fn an_unknown_role_is_damage() {
        let (folder, mut replica) = sample::replica();
        write(&mut replica, |writer| {
            writer.put_members(&[member(DEVICE, 1, "Ana")])
        });
        Connection::open(folder.path().join("replica.db"))
            .unwrap()
            .execute("UPDATE members SET role = 'king'", [])
            .unwrap();
        let read = replica.read(|reader| reader.members());
        assert!(matches!(read, Err(StoreError::Damaged { .. })), "{read:?}");
    }

    #[test]
    fn chains_have_authors_as_far_as_members_are_known() {
        let (_folder, mut replica) = sample::replica();
        write(&mut replica, |writer| {
            writer.put_members(&[member(DEVICE, 1, "Ana")])
        });
        let authors = read(&replica, |reader| reader.authors());
        let names: Vec<_> = authors
            .iter()
            .map(|(chain, author)| (*chain, author.person_name.as_str()))
            .collect();
        assert_eq!(names, [(sample::own_chain(), "Ana")]);
    }
}
