//! What a newer ebb may write, in changes made by hand: kinds, fields, answers and items of the profile that this one does
//! not know. None of it breaks a rule of batches; all of it must come through an ebb that cannot read it.

use journal::batch::encode;
use journal::change;
use journal::{Actor, DocumentId, EntryId, Fields, Scalar, Value};

use super::{Outcome, Rogue, now, random_bytes};

impl Rogue {
    /// Makes a batch with an entry of an unknown kind, `entry`, a check-in with unknown fields, and news in the profile.
    pub(super) fn newer(&self, actor: Actor, entry: EntryId) -> Outcome<Vec<u8>> {
        let month = DocumentId::of(entry)?;
        let check_in = EntryId::mint(u64::try_from(entry.unix_ms())?, random_bytes());
        let (mood, tired) = (mood(), tired());
        let entries = change::create(
            actor,
            None,
            now(),
            &[(&entry.to_string(), &mood), (&check_in.to_string(), &tired)],
        )?;
        let remark = Fields::from([("remark".to_owned(), Value::from("of a newer ebb"))]);
        let mut profile = self.document(DocumentId::Profile)?;
        let patient = profile.update(actor, now(), "patient", &remark, &[])?;
        let patient = patient.ok_or("no change")?;
        let (step, theme) = (step(), Fields::from([("dark".to_owned(), true.into())]));
        let key = format!("plan:{check_in}");
        let news = change::create(
            actor,
            Some(&patient.tip),
            now(),
            &[(&key, &step), ("theme", &theme)],
        )?;
        let of = DocumentId::Profile;
        let changes = [
            (month, entries.bytes.as_slice()),
            (of, &patient.bytes),
            (of, &news.bytes),
        ];
        Ok(encode(&changes)?)
    }

    /// Makes a batch of a format that is not there yet.
    pub(super) fn newer_format(&self, actor: Actor, entry: EntryId) -> Outcome<Vec<u8>> {
        let mut bytes = self.newer(actor, entry)?;
        *bytes.first_mut().ok_or("an empty batch")? = 2;
        Ok(bytes)
    }
}

/// An entry of a kind that is not there yet, with every sort of value.
fn mood() -> Fields {
    let list = vec![
        Scalar::Null,
        Scalar::Bool(true),
        Scalar::Int(-3),
        Scalar::Float(0.1),
        Scalar::Text("a\nb".to_owned()),
        Scalar::Bytes(vec![0, 255]),
        Scalar::Timestamp(1_700_000_000_123),
    ];
    Fields::from([
        ("kind".to_owned(), "mood".into()),
        ("valence".to_owned(), 3.into()),
        ("arousal".to_owned(), (-0.5).into()),
        ("nothing".to_owned(), Value::Scalar(Scalar::Null)),
        ("calm".to_owned(), false.into()),
        ("raw".to_owned(), Value::Scalar(Scalar::Bytes(vec![1, 2]))),
        (
            "seen".to_owned(),
            Value::Scalar(Scalar::Timestamp(1_700_000_000_123)),
        ),
        ("all".to_owned(), Value::List(list)),
        ("empty".to_owned(), Value::List(Vec::new())),
        ("note".to_owned(), "lighter".into()),
    ])
}

/// A check-in with a field and a part of a field that are not there yet.
fn tired() -> Fields {
    Fields::from([
        ("kind".to_owned(), "fatigue".into()),
        ("level".to_owned(), 6.into()),
        ("weakness_jaw".to_owned(), 2.into()),
        ("aura".to_owned(), "blue".into()),
        ("note".to_owned(), "after the stairs".into()),
    ])
}

/// A step of the plan about a thing that cannot be planned yet.
fn step() -> Fields {
    Fields::from([
        ("kind".to_owned(), "orthosis".into()),
        ("name".to_owned(), "left knee".into()),
        (
            "from".to_owned(),
            Value::Scalar(Scalar::Timestamp(1_700_000_000_000)),
        ),
        ("stiffness".to_owned(), 2.into()),
    ])
}
