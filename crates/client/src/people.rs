//! People and devices by name: the read model of the member log.

use protocol::id::{KeyId, PersonId};
use protocol::log::MemberLog;
use seal::Keyring;
use store::member::MemberRow;
use store::{StoreError, Writer};

/// Rebuilds the read model of the member log, with the names that the keys open.
pub(crate) fn refresh(
    writer: &mut Writer<'_>,
    log: &MemberLog,
    keys: &Keyring,
) -> Result<(), StoreError> {
    let mut rows: Vec<MemberRow> = log
        .devices()
        .iter()
        .map(|(id, device)| MemberRow {
            device: *id,
            device_name: name(&device.keys.name.0, &id.0, keys),
            person: device.person,
            person_name: person_name(log, keys, &device.person),
            role: device.role(),
            joined: device.joined,
            paper: device.keys.paper,
        })
        .collect();
    rows.sort_by_key(|row| (row.joined, row.device));
    if log.is_erased() {
        writer.set_setting(ERASED, Some("yes"))?;
    }
    writer.put_members(&rows)
}

/// The setting that says that an owner has ended the journal.
pub(crate) const ERASED: &str = "erased";

/// Shown for a name that cannot be opened.
pub(crate) const UNNAMED: &str = "unnamed";

/// Returns the name of a person.
pub(crate) fn person_name(log: &MemberLog, keys: &Keyring, id: &PersonId) -> String {
    log.persons().get(id).map_or_else(
        || UNNAMED.to_owned(),
        |person| name(&person.name, &id.0, keys),
    )
}

/// Returns the name of a device.
pub(crate) fn device_name(log: &MemberLog, keys: &Keyring, id: &KeyId) -> String {
    log.devices().get(id).map_or_else(
        || UNNAMED.to_owned(),
        |device| name(&device.keys.name.0, &id.0, keys),
    )
}

/// Returns the name of a device with that of its person before it: `Sam, phone`.
pub(crate) fn full_name(log: &MemberLog, keys: &Keyring, id: &KeyId) -> String {
    let person = log.devices().get(id).map(|device| device.person);
    let person = person.map_or_else(|| UNNAMED.to_owned(), |id| person_name(log, keys, &id));
    format!("{person}, {}", device_name(log, keys, id))
}

fn name(sealed: &[u8], subject: &[u8], keys: &Keyring) -> String {
    match keys.open_name(sealed, subject) {
        // Names come from other members: they end up on a terminal.
        Ok(name) => name.chars().filter(|c| !c.is_control()).collect(),
        Err(_) => UNNAMED.to_owned(),
    }
}

/// Returns the short fingerprint of a device or an invite, to compare by eye: twelve hex digits in three groups.
pub(crate) fn fingerprint(id: &KeyId) -> String {
    let hex = id.to_string();
    let groups: Vec<&str> = [0..4, 4..8, 8..12]
        .into_iter()
        .filter_map(|range| hex.get(range))
        .collect();
    groups.join("-")
}

/// Returns the head of a member log as four words of the BIP39 list (44 bits), to compare by voice.
pub(crate) fn head_in_words(log: &MemberLog) -> String {
    let words = bip39::Language::English.word_list();
    let head = log.head();
    let bits = head
        .0
        .iter()
        .take(6)
        .fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
    let word = |place: u32| {
        let index = usize::try_from(bits >> (37 - 11 * place) & 0x7FF).unwrap_or(0);
        words.get(index).copied().unwrap_or_default()
    };
    [word(0), word(1), word(2), word(3)].join(" ")
}
