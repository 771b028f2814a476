//! The plan, as the read model of the profile shows it.

use protocol::id::ChainId;

use crate::error::StoreError;
use crate::replica::{Reader, Writer};

/// One item of the profile that belongs to the plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlanRow {
    /// Its key.
    pub key: String,
    /// The chain that carried its first change.
    pub chain: ChainId,
    /// All of it.
    pub json: String,
}

impl Reader<'_> {
    /// Returns the items of the plan, by key.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub fn plan(&self) -> Result<Vec<PlanRow>, StoreError> {
        self.run(|connection| {
            connection
                .prepare_cached("SELECT key, chain, json FROM plan ORDER BY key")?
                .query_map([], |row| {
                    Ok(PlanRow {
                        key: row.get(0)?,
                        chain: ChainId(row.get(1)?),
                        json: row.get(2)?,
                    })
                })?
                .collect()
        })
    }
}

impl Writer<'_> {
    /// Replaces the items of the plan.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be written.
    pub fn put_plan(&mut self, rows: &[PlanRow]) -> Result<(), StoreError> {
        self.run(|connection| {
            connection.execute("DELETE FROM plan", [])?;
            let mut insert = connection
                .prepare_cached("INSERT INTO plan (key, chain, json) VALUES (?1, ?2, ?3)")?;
            for row in rows {
                insert.execute((&row.key, &row.chain.0, &row.json))?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{self, read, write};

    #[test]
    fn the_plan_is_what_was_put_last() {
        let (_folder, mut replica) = sample::replica();
        let row = |key: &str, json: &str| PlanRow {
            key: key.to_owned(),
            chain: sample::own_chain(),
            json: json.to_owned(),
        };
        write(&mut replica, |writer| {
            writer.put_plan(&[row("plan:b", "{}"), row("plan:a", "{}")])
        });
        assert_eq!(read(&replica, |reader| reader.plan()).len(), 2);
        write(&mut replica, |writer| {
            writer.put_plan(&[row("plan:c", "{\"a\":1}")])
        });
        assert_eq!(
            read(&replica, |reader| reader.plan()),
            [row("plan:c", "{\"a\":1}")]
        );
    }
}
