//! People and devices by name: the read model of the member log, and the names that owners gave later.
//!
//! A record of the member log never changes. A name given later is an item of the profile, which only owners write; it is
//! kept as a setting of the replica, so that both the log and the profile can be read alone.

use std::collections::BTreeMap;

use protocol::id::{KeyId, PersonId};
use protocol::log::MemberLog;
use seal::Keyring;
use store::member::MemberRow;
use store::{Reader, StoreError, Writer};

use crate::journal::StoredLog;

/// Rebuilds the read model of the member log, with the names that the keys open.
pub(crate) fn refresh(
    writer: &mut Writer<'_>,
    log: &MemberLog,
    keys: &Keyring,
) -> Result<(), StoreError> {
    let given = given(writer)?;
    let names = Names {
        log,
        keys,
        given: &given,
    };
    let mut rows: Vec<MemberRow> = log
        .devices()
        .iter()
        .map(|(id, device)| MemberRow {
            device: *id,
            device_name: names.device(id),
            person: device.person,
            person_name: names.person(&device.person),
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

/// Names that owners gave later than the member log has them, by the key of their item in the profile.
pub(crate) type Given = BTreeMap<String, String>;

/// The setting with the names given later, as JSON.
const GIVEN: &str = "given-names";

/// Returns the names given later, as this replica knows them.
pub(crate) fn given(reader: &Reader<'_>) -> Result<Given, StoreError> {
    let stored = reader.setting(GIVEN)?;
    // What cannot be read is made anew with the next change of the profile; until then the log's names are shown.
    Ok(stored
        .and_then(|json| serde_json::from_str(&json).ok())
        .unwrap_or_default())
}

/// Takes in the names given later, where they changed, and shows them from now on.
pub(crate) fn give(writer: &mut Writer<'_>, names: &Given) -> Result<(), StoreError> {
    if given(writer)? == *names {
        return Ok(());
    }
    let json = serde_json::json!(names).to_string();
    writer.set_setting(GIVEN, Some(&json))?;
    let mut rows = writer.members()?;
    for row in &mut rows {
        if let Some(name) = names.get(&device_key(&row.device)) {
            row.device_name = shown(name);
        }
        if let Some(name) = names.get(&person_key(&row.person)) {
            row.person_name = shown(name);
        }
    }
    writer.put_members(&rows)
}

/// Returns the key of the profile's item with the name of a person.
pub(crate) fn person_key(id: &PersonId) -> String {
    format!("{PERSON}{id}")
}

/// Returns the key of the profile's item with the name of a device: the first 24 bytes of its id, since the whole id is more
/// than a key may have.
pub(crate) fn device_key(id: &KeyId) -> String {
    let id: String = id.to_string().chars().take(48).collect();
    format!("{DEVICE}{id}")
}

/// Tells whether a key of the profile is that of a name.
pub(crate) fn is_name_key(key: &str) -> bool {
    key.starts_with(PERSON) || key.starts_with(DEVICE)
}

/// What the keys of names begin with.
const PERSON: &str = "person:";
const DEVICE: &str = "device:";

/// The names of people and devices: those of the member log, and over them those given later.
#[derive(Clone, Copy)]
pub(crate) struct Names<'a> {
    pub(crate) log: &'a MemberLog,
    pub(crate) keys: &'a Keyring,
    pub(crate) given: &'a Given,
}

impl<'a> Names<'a> {
    /// Takes the names of a stored log.
    pub(crate) fn of(stored: &'a StoredLog, keys: &'a Keyring) -> Self {
        Self {
            log: &stored.log,
            keys,
            given: &stored.given,
        }
    }

    /// Returns the name of a person.
    pub(crate) fn person(&self, id: &PersonId) -> String {
        let in_log = || {
            let person = self.log.persons().get(id)?;
            Some(name(&person.name, &id.0, self.keys))
        };
        let given = self.given.get(&person_key(id)).map(|name| shown(name));
        given.or_else(in_log).unwrap_or_else(|| UNNAMED.to_owned())
    }

    /// Returns the name of a device.
    pub(crate) fn device(&self, id: &KeyId) -> String {
        let in_log = || {
            let device = self.log.devices().get(id)?;
            Some(name(&device.keys.name.0, &id.0, self.keys))
        };
        let given = self.given.get(&device_key(id)).map(|name| shown(name));
        given.or_else(in_log).unwrap_or_else(|| UNNAMED.to_owned())
    }

    /// Returns the name of a device with that of its person before it: `Sam, phone`.
    pub(crate) fn full(&self, id: &KeyId) -> String {
        let person = self.log.devices().get(id).map(|device| device.person);
        let person = person.map_or_else(|| UNNAMED.to_owned(), |id| self.person(&id));
        format!("{person}, {}", self.device(id))
    }
}

fn name(sealed: &[u8], subject: &[u8], keys: &Keyring) -> String {
    match keys.open_name(sealed, subject) {
        Ok(name) => shown(&name),
        Err(_) => UNNAMED.to_owned(),
    }
}

/// Returns a name as it is shown: names come from other members, and end up on a terminal.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).collect()
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
