//! The columns of a kind: its fields laid flat, one value each, as tables and other health software want them.

use super::code::{Coding, Concept};
use super::field::Field;
use super::shape::{Choice, Shape};
use super::{COMMON, Kind, System};

/// One column: a field, or one part of a field that is asked part by part.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// The field.
    pub field: &'static Field,
    /// The part of it, such as an area of the body.
    pub part: Option<&'static Choice>,
}

impl Kind {
    /// Returns the columns of the kind: those of the fields every entry may have, then its own, in their order.
    pub fn columns(&self) -> Vec<Column> {
        let fields = COMMON.iter().chain(self.fields);
        fields.flat_map(of_field).collect()
    }

    /// Returns the code that stands for an entry of the kind as a whole.
    pub fn coding(&self) -> Coding {
        self.concept.map_or_else(
            || Coding {
                system: System::Local,
                code: self.name.to_owned(),
                display: self.label.to_owned(),
            },
            Concept::coding,
        )
    }
}

impl Column {
    /// Returns the name of the column, which is the name in storage.
    pub fn name(&self) -> String {
        match self.part {
            Some(part) => self.field.stored_name(part.value),
            None => self.field.name.to_owned(),
        }
    }

    /// Returns what the column holds, in words.
    pub fn label(&self) -> String {
        match self.part {
            Some(part) => format!("{}, {}", self.field.label, part.label),
            None => self.field.label.to_owned(),
        }
    }

    /// Returns the shape of its values.
    pub fn shape(&self) -> Shape {
        match (self.field.shape, self.part) {
            (Shape::Each { answer, .. }, Some(_)) => *answer,
            (shape, _) => shape,
        }
    }

    /// Returns the code that stands for the column in an entry of `kind`; a local one if no system has a better.
    pub fn coding(&self, kind: &Kind) -> Coding {
        match self.field.concept {
            Some(concept) => concept.coding(),
            None => Coding {
                system: System::Local,
                code: format!("{}.{}", kind.name, self.name()),
                display: self.label(),
            },
        }
    }
}

/// Lays one field flat.
fn of_field(field: &'static Field) -> Vec<Column> {
    match field.shape {
        Shape::Each { parts, .. } => {
            let column = |part| Column {
                field,
                part: Some(part),
            };
            parts.iter().map(column).collect()
        }
        _ => vec![Column { field, part: None }],
    }
}
