//! A relay's database with as much in it as a clinic's: journals and envelopes that nobody asks for, of the sizes that real ones
//! have.

use rusqlite::{Connection, params};

use super::Outcome;

/// Bytes of an envelope that carries an entry or two.
const ENVELOPE: usize = 480;
/// Bytes of a member log's first record.
const RECORD: i64 = 1_600;

/// Fills a database that a relay has made, and that is not in use.
pub(super) fn fill(file: &str, journals: u32, envelopes: u32) -> Outcome<()> {
    let mut database = Connection::open(file)?;
    let transaction = database.transaction()?;
    let mut random = [0; ENVELOPE];
    {
        let mut journal = transaction.prepare(
            "INSERT INTO journals (id, length, head, used, created, changed)
             VALUES (randomblob(32), 1, randomblob(32), ?1, 1, 1)",
        )?;
        let mut record =
            transaction.prepare("INSERT INTO records VALUES (?1, 0, randomblob(?2))")?;
        let mut member = transaction
            .prepare("INSERT INTO members VALUES (randomblob(32), ?1, randomblob(32))")?;
        let mut chain = transaction
            .prepare("INSERT INTO chains VALUES (?1, ?2, randomblob(32), ?3, randomblob(32), 0)")?;
        let mut envelope = transaction.prepare(
            "INSERT INTO envelopes (journal, chain, seq, hash, head, bytes)
             VALUES (?1, ?2, ?3, randomblob(32), 0, ?4)",
        )?;
        let each = envelopes / journals.max(1);
        for _ in 0..journals {
            let bytes = i64::try_from(ENVELOPE)? * i64::from(each) + RECORD;
            journal.execute([bytes])?;
            let number = transaction.last_insert_rowid();
            record.execute(params![number, RECORD])?;
            member.execute([number])?;
            getrandom::fill(&mut random)?;
            let name = random.get(..16).unwrap_or_default().to_vec();
            chain.execute(params![number, name, each])?;
            for seq in 1..=each {
                envelope.execute(params![number, name, seq, &random[..]])?;
            }
        }
    }
    transaction.commit()?;
    println!(
        "{}",
        serde_json::json!({ "journals": journals, "envelopes": envelopes })
    );
    Ok(())
}
