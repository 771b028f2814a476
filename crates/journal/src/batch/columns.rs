//! Bytes in and out: varints, length-prefixed columns, packed entry ids, values.
//!
//! Reading never allocates more than the input has bytes, and never panics.

use super::decode::BatchError;
use super::limits;
use crate::change::{InvalidItem, check_scalar};
use crate::{EntryId, Scalar, Value};

/// What a column of entry ids keeps of each beyond its time: 12 and 62 bits.
const RANDOM_BITS: usize = 74;

pub(super) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub(super) fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

pub(super) fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// The rest of the input, or of a column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn byte(&mut self) -> Result<u8, BatchError> {
        let (byte, rest) = self.0.split_first().ok_or(BatchError::Truncated)?;
        self.0 = rest;
        Ok(*byte)
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], BatchError> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(BatchError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], BatchError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(BatchError::Truncated)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn varint(&mut self) -> Result<u64, BatchError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(BatchError::Number)
    }

    pub(super) fn signed(&mut self) -> Result<i64, BatchError> {
        self.varint().map(unzigzag)
    }

    /// Reads a count of things that take at least `each` bytes of what is left.
    pub(super) fn count(&mut self, each: usize) -> Result<usize, BatchError> {
        let count = usize::try_from(self.varint()?).map_err(|_| BatchError::Truncated)?;
        let enough = count
            .checked_mul(each)
            .is_some_and(|bytes| bytes <= self.0.len());
        if enough {
            Ok(count)
        } else {
            Err(BatchError::Truncated)
        }
    }

    /// Reads a length and that many bytes.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], BatchError> {
        let len = self.count(1)?;
        self.take(len)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, BatchError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| BatchError::Text)
    }

    pub(super) fn column(&mut self) -> Result<Self, BatchError> {
        self.bytes().map(Self)
    }

    pub(super) fn end(self) -> Result<(), BatchError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(BatchError::Leftover)
        }
    }
}

/// Writes the two columns of entry ids.
pub(super) fn put_ids(out: &mut Vec<u8>, ids: &[EntryId]) {
    let mut times = Vec::new();
    let mut deltas = Vec::with_capacity(ids.len());
    let mut last = None;
    for id in ids {
        let ms = id.unix_ms();
        deltas.push(zigzag(ms - last.unwrap_or(ms)));
        last = Some(ms);
    }
    let width = deltas
        .iter()
        .max()
        .map_or(0, |most| 8 - most.leading_zeros() as usize / 8);
    put_varint(
        &mut times,
        ids.first().map_or(0, |id| id.unix_ms().unsigned_abs()),
    );
    times.push(width as u8);
    for plane in 0..width {
        times.extend(deltas.iter().map(|delta| (delta >> (8 * plane)) as u8));
    }
    put_bytes(out, &times);

    let mut bits = Vec::with_capacity((ids.len() * RANDOM_BITS).div_ceil(8));
    let (mut held, mut count) = (0_u128, 0);
    for id in ids {
        let whole = u128::from_be_bytes(*id.as_bytes());
        let random = (whole >> 64 & 0xfff) << 62 | whole & ((1 << 62) - 1);
        held |= random << count;
        count += RANDOM_BITS;
        while count >= 8 {
            bits.push(held as u8);
            held >>= 8;
            count -= 8;
        }
    }
    if count > 0 {
        bits.push(held as u8);
    }
    put_bytes(out, &bits);
}

/// The two columns of entry ids, read one by one.
pub(super) struct Ids<'a> {
    last: u64,
    planes: Vec<&'a [u8]>,
    bits: Reader<'a>,
    held: u128,
    count: usize,
    index: usize,
    len: usize,
}

impl<'a> Ids<'a> {
    pub(super) fn read(input: &mut Reader<'a>) -> Result<Self, BatchError> {
        let mut times = input.column()?;
        let bits = input.column()?;
        let first = times.varint()?;
        let width = usize::from(times.byte()?);
        if width > 7 {
            return Err(BatchError::Number);
        }
        let len = bits.0.len() * 8 / RANDOM_BITS;
        let planes = (0..width)
            .map(|_| times.take(len))
            .collect::<Result<_, _>>()?;
        times.end()?;
        Ok(Self {
            last: first,
            planes,
            bits,
            held: 0,
            count: 0,
            index: 0,
            len,
        })
    }

    pub(super) fn next(&mut self) -> Result<EntryId, BatchError> {
        let mut delta = 0;
        for (plane, bytes) in self.planes.iter().enumerate() {
            let byte = bytes.get(self.index).ok_or(BatchError::Truncated)?;
            delta |= u64::from(*byte) << (8 * plane);
        }
        self.index += 1;
        let ms = self.last.wrapping_add_signed(unzigzag(delta));
        if ms >> 48 != 0 {
            return Err(BatchError::Number);
        }
        self.last = ms;
        while self.count < RANDOM_BITS {
            self.held |= u128::from(self.bits.byte()?) << self.count;
            self.count += 8;
        }
        let random = self.held & ((1 << RANDOM_BITS) - 1);
        self.held >>= RANDOM_BITS;
        self.count -= RANDOM_BITS;
        let whole = u128::from(ms) << 80
            | 7 << 76
            | (random >> 62) << 64
            | 0b10 << 62
            | random & ((1 << 62) - 1);
        EntryId::from_bytes(whole.to_be_bytes()).map_err(|_| BatchError::Number)
    }

    pub(super) fn end(self) -> Result<(), BatchError> {
        if self.index == self.len && self.held == 0 {
            self.bits.end()
        } else {
            Err(BatchError::Leftover)
        }
    }
}

/// Every column of a batch.
pub(super) struct Columns<'a> {
    pub(super) authors: Option<Reader<'a>>,
    pub(super) times: Reader<'a>,
    pub(super) dependencies: Reader<'a>,
    pub(super) step_counts: Reader<'a>,
    pub(super) steps: Reader<'a>,
    pub(super) references: Reader<'a>,
    pub(super) ids: Ids<'a>,
    pub(super) keys: Reader<'a>,
    pub(super) values: Vec<Values<'a>>,
}

/// One field's column, and where in [`Shared`] its values are.
pub(super) struct Values<'a> {
    pub(super) column: Reader<'a>,
    pub(super) known: Vec<u32>,
}

impl<'a> Columns<'a> {
    pub(super) fn read(
        input: &mut Reader<'a>,
        authors: usize,
        names: usize,
    ) -> Result<Self, BatchError> {
        Ok(Self {
            authors: (authors > 1).then(|| input.column()).transpose()?,
            times: input.column()?,
            dependencies: input.column()?,
            step_counts: input.column()?,
            steps: input.column()?,
            references: input.column()?,
            ids: Ids::read(input)?,
            keys: input.column()?,
            values: (0..names)
                .map(|_| {
                    Ok(Values {
                        column: input.column()?,
                        known: Vec::new(),
                    })
                })
                .collect::<Result<_, BatchError>>()?,
        })
    }

    pub(super) fn end(self) -> Result<(), BatchError> {
        self.authors.map_or(Ok(()), Reader::end)?;
        for column in [
            self.times,
            self.dependencies,
            self.step_counts,
            self.steps,
            self.references,
            self.keys,
        ] {
            column.end()?;
        }
        self.ids.end()?;
        self.values
            .into_iter()
            .try_for_each(|values| values.column.end())
    }
}

pub(super) fn read_value(
    column: &mut Reader<'_>,
    id: Option<EntryId>,
) -> Result<Value, BatchError> {
    match column.byte()? {
        8 => {
            let count = column.count(1)?;
            if count > limits::MAX_LIST {
                return Err(InvalidItem::ListTooLong.into());
            }
            let scalars = (0..count).map(|_| {
                let tag = column.byte()?;
                read_scalar(column, tag)
            });
            Ok(Value::List(scalars.collect::<Result<_, BatchError>>()?))
        }
        9 => {
            let id = id.ok_or(BatchError::Tag(9))?;
            let ms = id
                .unix_ms()
                .checked_sub(column.signed()?)
                .ok_or(BatchError::Number)?;
            Ok(Value::Scalar(Scalar::Timestamp(ms)))
        }
        tag => Ok(Value::Scalar(read_scalar(column, tag)?)),
    }
}

fn read_scalar(column: &mut Reader<'_>, tag: u8) -> Result<Scalar, BatchError> {
    let scalar = match tag {
        0 => Scalar::Null,
        1 => Scalar::Bool(false),
        2 => Scalar::Bool(true),
        3 => Scalar::Int(column.signed()?),
        4 => Scalar::Float(f64::from_le_bytes(column.array()?)),
        5 => Scalar::Text(column.text()?.to_owned()),
        6 => Scalar::Bytes(column.bytes()?.to_vec()),
        7 => Scalar::Timestamp(column.signed()?),
        tag => return Err(BatchError::Tag(tag)),
    };
    check_scalar(&scalar)?;
    Ok(scalar)
}
