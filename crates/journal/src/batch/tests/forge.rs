//! Batches that no encoder writes: the layout of `batch.rs` written out once more, every part open to be changed.

use crate::batch::columns::{Reader, put_bytes, put_varint};

/// A batch in its parts. Columns are without their lengths.
#[derive(Clone, Debug)]
pub(crate) struct Forged {
    pub(crate) version: u8,
    pub(crate) actors: Vec<[u8; 16]>,
    pub(crate) authors: u64,
    pub(crate) names: Vec<Vec<u8>>,
    pub(crate) documents: Vec<ForgedDocument>,
    /// Only if there are several authors.
    pub(crate) author: Option<Vec<u8>>,
    /// Times, dependencies, step counts, steps, references, key times, key bits, keys.
    pub(crate) columns: [Vec<u8>; 8],
    pub(crate) values: Vec<Vec<u8>>,
}

pub(crate) const TIMES: usize = 0;
pub(crate) const DEPENDENCIES: usize = 1;
pub(crate) const STEP_COUNTS: usize = 2;
pub(crate) const STEPS: usize = 3;
pub(crate) const REFERENCES: usize = 4;
pub(crate) const KEY_TIMES: usize = 5;
pub(crate) const KEY_BITS: usize = 6;
pub(crate) const KEYS: usize = 7;

#[derive(Clone, Debug)]
pub(crate) struct ForgedDocument {
    /// Less that of the document before, and 1.
    pub(crate) code: u64,
    pub(crate) changes: u64,
    pub(crate) outside: Vec<[u8; 32]>,
    pub(crate) heads: Vec<[u8; 32]>,
}

/// Writes numbers one after another.
pub(crate) fn varints(numbers: &[u64]) -> Vec<u8> {
    let mut out = Vec::new();
    for number in numbers {
        put_varint(&mut out, *number);
    }
    out
}

impl Forged {
    /// Takes apart what the encoder wrote.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let mut input = Reader::new(bytes);
        let version = input.byte().unwrap();
        let (count, authors) = (input.varint().unwrap(), input.varint().unwrap());
        let actors = (0..count).map(|_| input.array().unwrap()).collect();
        let count = input.varint().unwrap();
        let names: Vec<Vec<u8>> = (0..count)
            .map(|_| input.bytes().unwrap().to_vec())
            .collect();
        let count = input.varint().unwrap();
        let documents = (0..count).map(|_| ForgedDocument {
            code: input.varint().unwrap(),
            changes: input.varint().unwrap(),
            outside: hashes(&mut input),
            heads: hashes(&mut input),
        });
        let documents = documents.collect();
        let mut column = || input.bytes().unwrap().to_vec();
        let read = Self {
            version,
            actors,
            authors,
            documents,
            author: (authors > 1).then(&mut column),
            columns: std::array::from_fn(|_| column()),
            values: names.iter().map(|_| column()).collect(),
            names,
        };
        input.end().unwrap();
        read
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = vec![self.version];
        put_varint(&mut out, self.actors.len() as u64);
        put_varint(&mut out, self.authors);
        out.extend(self.actors.iter().flatten());
        put_varint(&mut out, self.names.len() as u64);
        for name in &self.names {
            put_bytes(&mut out, name);
        }
        put_varint(&mut out, self.documents.len() as u64);
        for document in &self.documents {
            put_varint(&mut out, document.code);
            put_varint(&mut out, document.changes);
            for hashes in [&document.outside, &document.heads] {
                put_varint(&mut out, hashes.len() as u64);
                out.extend(hashes.iter().flatten());
            }
        }
        let columns = self.author.iter().chain(&self.columns).chain(&self.values);
        for column in columns {
            put_bytes(&mut out, column);
        }
        out
    }
}

fn hashes(input: &mut Reader<'_>) -> Vec<[u8; 32]> {
    let count = input.varint().unwrap();
    (0..count).map(|_| input.array().unwrap()).collect()
}
