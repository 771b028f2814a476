//! What a field of an entry may hold: a scalar, or a list of scalars.
//!
//! Owns the value types that both halves of this crate speak: the kinds and their validation on one side, the
//! Automerge mapping on the other. Knows neither kinds nor Automerge.

use std::collections::BTreeMap;

/// One scalar. Numbers keep the type they were written with; a float is never NaN (refused at validation and
/// when a batch is decoded).
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// No value. ebb never writes it; a newer ebb may.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// UTF-8 text.
    Text(String),
    /// Bytes. ebb never writes them; a newer ebb may.
    Bytes(Vec<u8>),
    /// Milliseconds since the Unix epoch.
    Timestamp(i64),
}

/// The value of one field.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// One scalar.
    Scalar(Scalar),
    /// Scalars in order. An edit replaces the whole list, so that a merge never mixes two answers.
    List(Vec<Scalar>),
}

/// The fields of one entry, by name. What is not asked is absent: there is no empty value.
pub type Fields = BTreeMap<String, Value>;

impl Value {
    /// Returns the text, if this is one text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Scalar(Scalar::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Returns the whole number, if this is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Scalar(Scalar::Int(number)) => Some(*number),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Scalar(Scalar::Text(text.to_owned()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Scalar(Scalar::Text(text))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Scalar(Scalar::Int(number))
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Self::Scalar(Scalar::Bool(yes))
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Scalar(Scalar::Float(number))
    }
}
