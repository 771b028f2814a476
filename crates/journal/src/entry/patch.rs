//! An edit of an entry: what to change, checked against the entry as it will be.
//!
//! An edit writes only what differs, so that concurrent edits of different fields never meet, and leaves unknown
//! kinds and fields as they are.

use super::draft::at_fields;
use super::{KIND, NO_KIND, Status};
use crate::id::EntryId;
use crate::kind::{self, Kind, Shape};
use crate::time::At;
use crate::validate::{Invalid, check_together, check_value, normal, slot_of};
use crate::value::{Fields, Value};

/// What someone asks to change in an entry.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Patch {
    /// When it happened, if that changes.
    pub at: Option<At>,
    /// Fields to set, the kind's own and the common ones, by stored name. An empty text or list removes.
    pub set: Fields,
    /// Fields to remove, by name; one asked part by part goes with all its parts.
    pub remove: Vec<String>,
}

/// What to write into the stored form of an entry.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edit {
    /// Stored fields to set.
    pub set: Fields,
    /// Stored fields to remove.
    pub remove: Vec<String>,
}

impl Edit {
    /// Tells whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.remove.is_empty()
    }

    /// Writes it into a stored form.
    pub fn apply(&self, stored: &mut Fields) {
        stored.retain(|name, _| !self.remove.contains(name));
        stored.extend(self.set.clone());
    }
}

impl Patch {
    /// Makes the patch that gives an entry a status: `EnteredInError` deletes it, the status it had before restores
    /// it.
    pub fn status(status: Status) -> Self {
        Self {
            set: Fields::from([("status".to_owned(), status.as_str().into())]),
            ..Self::default()
        }
    }

    /// Returns what to write so that the entry `id`, stored as `stored`, becomes what is asked; nothing if it already
    /// is. The entry becomes `amended`, unless the patch says its status or it is deleted.
    ///
    /// # Errors
    /// [`Invalid`] if a field is unknown, or the entry would not be valid. Of an entry of an unknown kind only time
    /// and common fields can change. What the patch does not touch is not judged.
    pub fn edit(&self, id: EntryId, stored: &Fields) -> Result<Edit, Invalid> {
        let kind_name = stored.get(KIND).and_then(Value::as_text).unwrap_or(NO_KIND);
        let kind = kind::kind(kind_name);
        let mut changes: Vec<(String, Option<Value>)> = Vec::new();
        for name in &self.remove {
            changes.extend(
                removed(kind, kind_name, name, stored)?
                    .into_iter()
                    .map(|name| (name, None)),
            );
        }
        for (name, value) in &self.set {
            let slot = slot_of(kind, kind_name, name)?;
            let value = normal(&slot, value);
            if let Some(value) = &value {
                check_value(&slot, value)?;
            }
            changes.push((name.clone(), value));
        }
        if let Some(at) = &self.at {
            changes.extend(at_fields(id, at)?.map(|(name, value)| (name.to_owned(), value)));
        }
        let mut edit = difference(changes, stored);
        let own = |name: &String| {
            kind.is_some_and(|kind| kind.fields.iter().any(|f| f.slot(name).is_some()))
        };
        let touches_own = edit
            .set
            .keys()
            .chain(&edit.remove)
            .any(|name| own(name) || name == "note");
        if let Some(kind) = kind.filter(|_| touches_own) {
            let mut after = stored.clone();
            edit.apply(&mut after);
            check_together(kind, &after)?;
        }
        let deleted =
            stored.get("status").and_then(Value::as_text) == Some(Status::EnteredInError.as_str());
        if !edit.is_empty() && !self.set.contains_key("status") && !deleted {
            let amended = vec![("status".to_owned(), Some(Status::Amended.as_str().into()))];
            edit.set.extend(difference(amended, stored).set);
        }
        Ok(edit)
    }
}

/// Returns the stored names that removing the field `name` removes.
fn removed(
    kind: Option<&'static Kind>,
    kind_name: &str,
    name: &str,
    stored: &Fields,
) -> Result<Vec<String>, Invalid> {
    let field = kind.and_then(|kind| kind.fields.iter().find(|field| field.name == name));
    if let Some(field) = field.filter(|field| matches!(field.shape, Shape::Each { .. })) {
        let of_field = |stored: &&String| field.stored_part(stored).is_some();
        return Ok(stored.keys().filter(of_field).cloned().collect());
    }
    slot_of(kind, kind_name, name).map(|_| vec![name.to_owned()])
}

/// Returns the changes that change something; of several to one field the last counts.
fn difference(changes: Vec<(String, Option<Value>)>, stored: &Fields) -> Edit {
    let last: std::collections::BTreeMap<_, _> = changes.into_iter().collect();
    let mut edit = Edit::default();
    for (name, value) in last {
        match value {
            Some(value) if stored.get(&name) != Some(&value) => {
                edit.set.insert(name, value);
            }
            None if stored.contains_key(&name) => edit.remove.push(name),
            _ => {}
        }
    }
    edit
}

#[cfg(test)]
mod tests {
    use super::super::tests::id_and_at;
    use super::*;
    use crate::entry::{Draft, Entry};
    use crate::value::Scalar;

    fn stored(kind: &str, fields: &[(&str, Value)]) -> (EntryId, Fields) {
        let (id, at) = id_and_at();
        let draft = fields
            .iter()
            .fold(Draft::new(kind, at), |draft, (name, value)| {
                draft.with(name, value.clone())
            });
        (id, draft.to_fields(id).unwrap())
    }

    fn patch(set: &[(&str, Value)], remove: &[&str]) -> Patch {
        Patch {
            at: None,
            set: set
                .iter()
                .map(|(name, value)| (name.to_string(), value.clone()))
                .collect(),
            remove: remove.iter().map(|name| name.to_string()).collect(),
        }
    }

    #[test]
    fn writes_only_what_differs() {
        let (id, fields) = stored(
            "fatigue",
            &[
                ("level", 6.into()),
                ("weakness_legs", 2.into()),
                ("note", "n".into()),
            ],
        );
        let edit = patch(
            &[("level", 5.0.into()), ("note", "n".into())],
            &["weakness"],
        )
        .edit(id, &fields)
        .unwrap();
        assert_eq!(
            edit.set,
            Fields::from([
                ("level".into(), 5.into()),
                ("status".into(), "amended".into())
            ])
        );
        assert_eq!(edit.remove, ["weakness_legs"]);
        assert!(
            patch(&[("level", 6.into())], &["sort"])
                .edit(id, &fields)
                .unwrap()
                .is_empty()
        );
        let mut after = fields.clone();
        edit.apply(&mut after);
        let again = patch(&[("note", "".into())], &[]).edit(id, &after).unwrap();
        assert_eq!(
            (again.set.len(), again.remove),
            (0, vec!["note".to_owned()])
        );
    }

    #[test]
    fn a_time_moves_and_moves_back() {
        let (id, fields) = stored("fatigue", &[("level", 6.into())]);
        let (_, at) = id_and_at();
        let earlier: At = "2026-11-19T22:30:00+00:00".parse().unwrap();
        let edit = Patch {
            at: Some(earlier.clone()),
            ..Patch::default()
        }
        .edit(id, &fields)
        .unwrap();
        let mut after = fields.clone();
        edit.apply(&mut after);
        assert_eq!(Entry::from_fields(id, &after).at, earlier);
        assert_eq!(edit.remove, ["offset", "zone"]);
        let back = Patch {
            at: Some(at),
            ..Patch::status(Status::Final)
        }
        .edit(id, &after)
        .unwrap();
        back.apply(&mut after);
        assert_eq!(after, fields);
    }

    #[test]
    fn the_entry_as_it_will_be_is_judged() {
        let (id, fields) = stored(
            "dose",
            &[("medicine", "x".into()), ("taken", "skipped".into())],
        );
        let refusal = |patch: Patch| patch.edit(id, &fields).unwrap_err().to_string();
        assert_eq!(
            refusal(patch(&[], &["taken"])),
            "a dose entry needs amount (how much was taken, in mg), unless it was skipped"
        );
        assert_eq!(
            refusal(patch(&[("medicine", "".into())], &[])),
            "a dose entry needs medicine (which medicine)"
        );
        assert!(
            patch(&[("amount_mg", 5.into())], &["taken"])
                .edit(id, &fields)
                .is_ok()
        );
        assert!(
            refusal(patch(&[("amount_mg", 0.into())], &[])).starts_with("amount is 0; it must be")
        );
        for name in ["kind", "at", "id", "level"] {
            assert!(
                refusal(patch(&[(name, "x".into())], &[])).starts_with("dose has no field"),
                "{name}"
            );
            assert!(
                refusal(patch(&[], &[name])).starts_with("dose has no field"),
                "{name}"
            );
        }
        let (id, fields) = stored("note", &[("note", "x".into())]);
        let emptied = patch(&[], &["note"]).edit(id, &fields).unwrap_err();
        assert_eq!(emptied.to_string(), "a note entry needs its text");
    }

    #[test]
    fn deletes_and_restores() {
        let (id, fields) = stored("fatigue", &[("level", 6.into())]);
        let mut after = fields.clone();
        Patch::status(Status::EnteredInError)
            .edit(id, &fields)
            .unwrap()
            .apply(&mut after);
        assert_eq!(
            Entry::from_fields(id, &after).status,
            Status::EnteredInError
        );
        patch(&[("level", 5.into())], &[])
            .edit(id, &after)
            .unwrap()
            .apply(&mut after);
        assert_eq!(
            Entry::from_fields(id, &after).status,
            Status::EnteredInError
        );
        Patch::status(Status::Final)
            .edit(id, &after)
            .unwrap()
            .apply(&mut after);
        let (_, edited) = stored("fatigue", &[("level", 5.into())]);
        assert_eq!(after, edited);
    }

    #[test]
    fn what_is_not_touched_is_neither_judged_nor_changed() {
        let (id, mut fields) = stored("fatigue", &[("level", 6.into())]);
        fields.insert("level".into(), 99.into());
        fields.insert(
            "aura".into(),
            Value::List(vec![Scalar::Null, Scalar::Bytes(vec![1])]),
        );
        let mut after = fields.clone();
        patch(&[("note", "n".into())], &[])
            .edit(id, &fields)
            .unwrap()
            .apply(&mut after);
        assert_eq!(
            (&after["level"], &after["aura"]),
            (&fields["level"], &fields["aura"])
        );
    }

    #[test]
    fn of_an_unknown_kind_only_what_every_entry_has_can_change() {
        let (id, _) = id_and_at();
        let fields = Fields::from([("kind".into(), "mood".into()), ("valence".into(), 3.into())]);
        let mut after = fields.clone();
        patch(&[("note", "n".into())], &[])
            .edit(id, &fields)
            .unwrap()
            .apply(&mut after);
        assert_eq!(
            (after["valence"].clone(), after["note"].clone()),
            (3.into(), "n".into())
        );
        for refused in [
            patch(&[("valence", 4.into())], &[]),
            patch(&[], &["valence"]),
        ] {
            let invalid = refused.edit(id, &fields).unwrap_err();
            assert_eq!(
                invalid,
                Invalid::UnknownKind {
                    kind: "mood".into()
                }
            );
        }
    }
}
