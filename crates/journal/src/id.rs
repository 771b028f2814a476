//! Names of things in a journal: entries, documents, actors.
//!
//! An entry's id is a UUIDv7 (RFC 9562 §5.7), whose first 48 bits are milliseconds since the Unix epoch; that
//! instant decides the entry's document for ever. Time and randomness come in as arguments.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// The id of an entry: a UUIDv7.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(Uuid);

/// A text that is not an entry id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not an entry id (a UUID of version 7)")]
pub struct InvalidEntryId;

impl EntryId {
    /// Makes the id of an entry recorded at `unix_ms` (milliseconds since the Unix epoch, 48 bits used) from ten
    /// random bytes (74 bits used).
    pub fn mint(unix_ms: u64, random: [u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(unix_ms, &random).into_uuid())
    }

    /// Returns the instant the id carries, in milliseconds since the Unix epoch.
    pub fn unix_ms(self) -> i64 {
        let [a, b, c, d, e, f, ..] = *self.0.as_bytes();
        i64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }

    /// Returns the sixteen bytes of the UUID.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// Reads sixteen bytes of a UUID.
    ///
    /// # Errors
    /// [`InvalidEntryId`] if version and variant are not those of a UUIDv7.
    pub fn from_bytes(bytes: [u8; 16]) -> Result<Self, InvalidEntryId> {
        let uuid = Uuid::from_bytes(bytes);
        if uuid.get_version_num() == 7 && uuid.get_variant() == uuid::Variant::RFC4122 {
            Ok(Self(uuid))
        } else {
            Err(InvalidEntryId)
        }
    }
}

impl FromStr for EntryId {
    type Err = InvalidEntryId;

    /// Reads the canonical text only: 36 characters, lower case, with hyphens.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uuid = Uuid::try_parse(text).map_err(|_| InvalidEntryId)?;
        let id = Self::from_bytes(uuid.into_bytes())?;
        if id.to_string() == text {
            Ok(id)
        } else {
            Err(InvalidEntryId)
        }
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl fmt::Debug for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntryId({self})")
    }
}

/// The actor of Automerge changes: the id of the chain that carries them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Actor(pub [u8; 16]);

/// One Automerge document of a journal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DocumentId {
    /// The patient's profile: zone, medicines, plan. Only owners change it.
    Profile,
    /// The entries whose ids lie in one UTC month.
    Month {
        /// 2000 … 9999.
        year: i16,
        /// 1 … 12.
        month: i8,
    },
}

/// A text or an instant that names no document.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a document: `profile`, or a month such as `2026-11`")]
pub struct InvalidDocumentId;

impl DocumentId {
    /// Returns the document an entry lives in: the UTC month of its id.
    ///
    /// # Errors
    /// [`InvalidDocumentId`] if the id's year is outside 2000 … 9999.
    pub fn of(id: EntryId) -> Result<Self, InvalidDocumentId> {
        let instant =
            jiff::Timestamp::from_millisecond(id.unix_ms()).map_err(|_| InvalidDocumentId)?;
        let date = jiff::tz::Offset::UTC.to_datetime(instant);
        Self::month(date.year(), date.month())
    }

    /// Makes the document of one UTC month.
    ///
    /// # Errors
    /// [`InvalidDocumentId`] if the year is outside 2000 … 9999 or the month outside 1 … 12.
    pub fn month(year: i16, month: i8) -> Result<Self, InvalidDocumentId> {
        if (2000..=9999).contains(&year) && (1..=12).contains(&month) {
            Ok(Self::Month { year, month })
        } else {
            Err(InvalidDocumentId)
        }
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Profile => f.write_str("profile"),
            Self::Month { year, month } => write!(f, "{year:04}-{month:02}"),
        }
    }
}

impl FromStr for DocumentId {
    type Err = InvalidDocumentId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "profile" {
            return Ok(Self::Profile);
        }
        let (year, month) = text.split_once('-').ok_or(InvalidDocumentId)?;
        let id = Self::month(
            year.parse().map_err(|_| InvalidDocumentId)?,
            month.parse().map_err(|_| InvalidDocumentId)?,
        )?;
        if id.to_string() == text {
            Ok(id)
        } else {
            Err(InvalidDocumentId)
        }
    }
}
