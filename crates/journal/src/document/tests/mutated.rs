//! Mutated batches: none panics, hangs, or gets in unless it says what the true one says; the month stays usable.

use super::hostile::usable;
use super::*;
use crate::batch::tests::forge::Forged;

const OTHER: Actor = Actor([9; 16]);

#[derive(Clone, Debug)]
enum Mutation {
    Flip(prop::sample::Index, u8),
    Set(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    /// Copies bytes of the batch to another place of it.
    Splice(prop::sample::Index, prop::sample::Index, usize),
    Cut(prop::sample::Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let place = any::<prop::sample::Index>;
    prop_oneof![
        3 => (place(), 0..8u8).prop_map(|(at, bit)| Mutation::Flip(at, bit)),
        3 => (place(), prop_oneof![any::<u8>(), 0..8u8]).prop_map(|(at, to)| Mutation::Set(at, to)),
        2 => (place(), proptest::collection::vec(any::<u8>(), 1..12))
            .prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        2 => (place(), 1..12usize).prop_map(|(at, count)| Mutation::Remove(at, count)),
        2 => (place(), place(), 1..40usize).prop_map(|(from, to, n)| Mutation::Splice(from, to, n)),
        1 => place().prop_map(Mutation::Cut),
    ]
}

impl Mutation {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let at = |place: &prop::sample::Index, bytes: &[u8]| place.index(bytes.len() + 1);
        let byte = |place: &prop::sample::Index, bytes: &[u8]| place.index(bytes.len().max(1));
        match self {
            Self::Flip(place, bit) => {
                let place = byte(place, bytes);
                bytes
                    .iter_mut()
                    .skip(place)
                    .take(1)
                    .for_each(|b| *b ^= 1 << bit);
            }
            Self::Set(place, to) => {
                let place = byte(place, bytes);
                bytes.iter_mut().skip(place).take(1).for_each(|b| *b = *to);
            }
            Self::Insert(place, new) => {
                let place = at(place, bytes);
                bytes.splice(place..place, new.iter().copied());
            }
            Self::Remove(place, count) => {
                let start = at(place, bytes);
                let end = bytes.len().min(start + count);
                bytes.drain(start..end);
            }
            Self::Splice(from, to, count) => {
                let start = at(from, bytes);
                let copied: Vec<u8> = bytes[start..].iter().take(*count).copied().collect();
                let to = at(to, bytes);
                bytes.splice(to..to, copied);
            }
            Self::Cut(place) => bytes.truncate(place.index(bytes.len() + 1)),
        }
    }
}

/// Brings what may be a batch to a device: afterwards its document is as before, or as after the true batch.
fn bring(device: &mut Device, bytes: &[u8], truth: &Document) -> Result<(), TestCaseError> {
    let before = device.state();
    let Ok(batch) = decode(bytes, &Authors::One(OTHER)) else {
        return Ok(());
    };
    for part in batch.documents.values() {
        match device.document.merge(part) {
            Ok(merged) => {
                prop_assert_eq!(merged.saved, device.document.save());
                prop_assert_eq!(device.state(), (truth.heads(), truth.items()));
            }
            Err(_) => prop_assert_eq!(device.state(), before.clone()),
        }
    }
    usable(device.document.clone());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn mutated_bytes_never_panic_and_never_get_in(all in proptest::collection::vec(mutation(), 1..5)) {
        let (mut device, mut bytes) = sample();
        let truth = merged(&device, &bytes);
        all.iter().for_each(|mutation| mutation.apply(&mut bytes));
        bring(&mut device, &bytes, &truth)?;
    }

    /// The lengths are kept true, so that what is inside is looked at.
    #[test]
    fn mutated_columns_never_panic_and_never_get_in(
        all in proptest::collection::vec((any::<prop::sample::Index>(), mutation()), 1..3),
    ) {
        let (mut device, bytes) = sample();
        let truth = merged(&device, &bytes);
        let mut forged = Forged::read(&bytes);
        for (column, mutation) in &all {
            let mut columns: Vec<&mut Vec<u8>> =
                forged.names.iter_mut().chain(&mut forged.columns).chain(&mut forged.values).collect();
            let column = column.index(columns.len());
            mutation.apply(columns[column]);
        }
        bring(&mut device, &forged.bytes(), &truth)?;
    }
}

fn merged(device: &Device, bytes: &[u8]) -> Document {
    let batch = decode(bytes, &Authors::One(OTHER)).unwrap();
    let mut document = device.document.clone();
    document.merge(&batch.documents[&month()]).unwrap();
    document
}
