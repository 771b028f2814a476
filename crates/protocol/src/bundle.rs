//! Bundles: a member log and envelopes in one file, to carry by hand or to keep as a backup.
//!
//! ```text
//! "ebb-bundle" (10) | version (1) | journal (32)
//! kind (1) | length (4, big-endian) | bytes      any number of items: records, then sealed keys, then envelopes
//! 255 (1) | 32 (4) | hash of everything before this item
//! ```
//!
//! The footer tells a whole file from one that was cut short; it proves nothing about who made it: records and envelopes
//! carry their own signatures. Writing and reading work on any stream, and hold one item at a time.

use std::io::{self, Read, Write};

use sha2::{Digest, Sha256};

use crate::domain::Domain;
use crate::id::JournalId;
use crate::limits;

const MAGIC: &[u8; 10] = b"ebb-bundle";
const VERSION: u8 = 1;
const FOOTER: u8 = 255;

/// What an item of a bundle is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ItemKind {
    /// A member-log record.
    Record,
    /// An epoch key sealed to a device.
    Blob,
    /// An envelope.
    Envelope,
    /// The signed manifest of a snapshot.
    Snapshot,
}

impl ItemKind {
    fn byte(self) -> u8 {
        match self {
            Self::Record => 1,
            Self::Blob => 2,
            Self::Envelope => 3,
            Self::Snapshot => 4,
        }
    }

    fn most(self) -> usize {
        match self {
            Self::Record => limits::RECORD_BYTES,
            Self::Blob => limits::BLOB_BYTES,
            Self::Envelope => limits::ENVELOPE_BYTES,
            Self::Snapshot => limits::SNAPSHOT_BYTES,
        }
    }
}

/// Why bytes are not a bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The file does not begin like a bundle.
    #[error("this file is not a bundle of ebb")]
    NotABundle,
    /// The bundle's format is that of a newer ebb.
    #[error("this bundle has the format {0}, of a newer ebb")]
    Newer(u8),
    /// The file ends before its footer: it was not written to its end, or not copied whole.
    #[error("the bundle is cut short")]
    CutShort,
    /// The footer's hash is another one than that of the content.
    #[error("the bundle was altered or damaged: its content does not fit its footer")]
    Altered,
    /// An item is of an unknown kind, too long, or out of order.
    #[error("the bundle has an item that must not be")]
    Item,
    /// The stream cannot be read.
    #[error("the bundle cannot be read")]
    Io(#[source] io::Error),
}

/// Writes a bundle to a stream.
pub struct BundleWriter<W> {
    out: W,
    hasher: Sha256,
}

impl<W: Write> BundleWriter<W> {
    /// Begins a bundle.
    ///
    /// # Errors
    /// The stream's.
    pub fn begin(out: W, journal: &JournalId) -> io::Result<Self> {
        let mut writer = Self {
            out,
            hasher: hasher(),
        };
        writer.put(MAGIC)?;
        writer.put(&[VERSION])?;
        writer.put(&journal.0)?;
        Ok(writer)
    }

    /// Adds an item. Records come first, then sealed keys, then envelopes, each chain in order.
    ///
    /// # Errors
    /// The stream's.
    pub fn item(&mut self, kind: ItemKind, bytes: &[u8]) -> io::Result<()> {
        self.head(kind.byte(), bytes.len())?;
        self.put(bytes)
    }

    /// Ends the bundle with its footer, and gives the stream back. A bundle that is not ended is refused by readers.
    ///
    /// # Errors
    /// The stream's.
    pub fn end(mut self) -> io::Result<W> {
        let hash: [u8; 32] = self.hasher.clone().finalize().into();
        self.head(FOOTER, hash.len())?;
        self.put(&hash)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn head(&mut self, kind: u8, length: usize) -> io::Result<()> {
        let length = u32::try_from(length).map_err(io::Error::other)?;
        self.put(&[kind])?;
        self.put(&length.to_be_bytes())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.out.write_all(bytes)
    }
}

/// Reads a bundle from a stream. What it gives is trustworthy as a whole only once [`Self::next_item`] has given `None`.
pub struct BundleReader<R> {
    from: R,
    hasher: Sha256,
    journal: JournalId,
    last: ItemKind,
    done: bool,
}

impl<R: Read> BundleReader<R> {
    /// Reads the beginning of a bundle.
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn begin(from: R) -> Result<Self, BundleError> {
        let mut reader = Self {
            from,
            hasher: hasher(),
            journal: JournalId([0; 32]),
            last: ItemKind::Record,
            done: false,
        };
        let magic = reader.take::<10>().map_err(|error| match error {
            BundleError::CutShort => BundleError::NotABundle,
            error => error,
        })?;
        if magic != *MAGIC {
            return Err(BundleError::NotABundle);
        }
        match reader.take::<1>()? {
            [VERSION] => {}
            [version] => return Err(BundleError::Newer(version)),
        }
        reader.journal = JournalId(reader.take()?);
        Ok(reader)
    }

    /// Returns the journal.
    pub fn journal(&self) -> JournalId {
        self.journal
    }

    /// Reads the next item; none after the last, once the footer has proved the bundle whole.
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn next_item(&mut self) -> Result<Option<(ItemKind, Vec<u8>)>, BundleError> {
        if self.done {
            return Ok(None);
        }
        let content: [u8; 32] = self.hasher.clone().finalize().into();
        let [kind] = self.take()?;
        let length = u32::from_be_bytes(self.take()?);
        let kind = match kind {
            1 => ItemKind::Record,
            2 => ItemKind::Blob,
            3 => ItemKind::Envelope,
            4 => ItemKind::Snapshot,
            FOOTER if length == 32 => {
                if self.take::<32>()? != content {
                    return Err(BundleError::Altered);
                }
                self.done = true;
                return Ok(None);
            }
            _ => return Err(BundleError::Item),
        };
        let length = usize::try_from(length).map_err(|_| BundleError::Item)?;
        if length > kind.most() || kind < self.last {
            return Err(BundleError::Item);
        }
        self.last = kind;
        let mut bytes = vec![0; length];
        self.read(&mut bytes)?;
        Ok(Some((kind, bytes)))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], BundleError> {
        let mut bytes = [0; N];
        self.read(&mut bytes)?;
        Ok(bytes)
    }

    fn read(&mut self, to: &mut [u8]) -> Result<(), BundleError> {
        self.from
            .read_exact(to)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => BundleError::CutShort,
                _ => BundleError::Io(error),
            })?;
        self.hasher.update(&*to);
        Ok(())
    }
}

fn hasher() -> Sha256 {
    let prefix = Domain::BundleHash.prefix();
    Sha256::new()
        .chain_update(prefix.as_bytes())
        .chain_update([0])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle() -> Vec<u8> {
        let mut writer = BundleWriter::begin(Vec::new(), &JournalId([7; 32])).unwrap();
        writer.item(ItemKind::Record, b"record").unwrap();
        writer.item(ItemKind::Blob, b"").unwrap();
        writer.item(ItemKind::Envelope, &[9; 1000]).unwrap();
        writer.end().unwrap()
    }

    fn read(bytes: &[u8]) -> Result<Vec<(ItemKind, Vec<u8>)>, BundleError> {
        let mut reader = BundleReader::begin(bytes)?;
        let mut items = Vec::new();
        while let Some(item) = reader.next_item()? {
            items.push(item);
        }
        Ok(items)
    }

    #[test]
    fn a_bundle_comes_back_as_it_was_written() {
        let items = read(&bundle()).unwrap();
        let kinds: Vec<ItemKind> = items.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(
            kinds,
            [ItemKind::Record, ItemKind::Blob, ItemKind::Envelope]
        );
        assert_eq!(items[2].1, [9; 1000]);
        let reader = BundleReader::begin(&*bundle()).map(|reader| reader.journal());
        assert_eq!(reader.unwrap(), JournalId([7; 32]));
    }

    #[test]
    fn a_bundle_cut_anywhere_or_with_one_flipped_bit_is_refused() {
        let whole = bundle();
        for length in 0..whole.len() {
            let error = read(&whole[..length]).unwrap_err();
            let expected = length < 10 && matches!(error, BundleError::NotABundle)
                || matches!(error, BundleError::CutShort);
            assert!(expected, "{length}: {error}");
        }
        for place in 0..whole.len() {
            let mut altered = whole.clone();
            altered[place] ^= 4;
            assert!(read(&altered).is_err(), "{place}");
        }
    }

    #[test]
    fn items_out_of_order_or_too_long_are_refused() {
        let mut writer = BundleWriter::begin(Vec::new(), &JournalId([7; 32])).unwrap();
        writer.item(ItemKind::Envelope, b"e").unwrap();
        writer.item(ItemKind::Record, b"r").unwrap();
        let error = read(&writer.end().unwrap()).unwrap_err();
        assert!(matches!(error, BundleError::Item), "{error}");
        let mut writer = BundleWriter::begin(Vec::new(), &JournalId([7; 32])).unwrap();
        let long = vec![0; limits::RECORD_BYTES + 1];
        writer.item(ItemKind::Record, &long).unwrap();
        let error = read(&writer.end().unwrap()).unwrap_err();
        assert!(matches!(error, BundleError::Item), "{error}");
    }
}
