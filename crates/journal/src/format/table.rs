//! Tables: one of comma-separated values for each kind (RFC 4180), from the one table of kinds, with its Table Schema.
//!
//! A list is written with semicolons between (a semicolon inside is `\;`, a backslash `\\`). `skipped` and `unable` stand
//! where a value would. What no column can hold exactly is in the last column, as JSON: a table loses nothing. Any other
//! table is read through a mapping of its columns.

mod schema;

use std::collections::BTreeMap;

use jiff::civil::{Date, DateTime, time};
use jiff::tz::TimeZone;

use super::{Given, Refused, flat};
use crate::entry::{Author, Draft, Entry};
use crate::json;
use crate::kind::{self, Column, Field, Kind, SKIPPED, Shape, UNABLE};
use crate::time::At;
use crate::validate::{Invalid, parse_field};
use crate::value::{Fields, Scalar, Value};

pub use schema::data_package;

/// The columns that come before the fields.
const HEAD: [&str; 7] = [
    "id",
    "kind",
    "at",
    "zone",
    "recorded_at",
    "person",
    "device",
];
/// The column of everything that has none.
const MORE: &str = "more";
/// The name of the table of kinds that this ebb does not know.
const OTHER: &str = "other";

/// Returns the names of the columns of a kind's table; of the table of unknown kinds without one.
fn columns(kind: Option<&Kind>) -> Vec<Column> {
    match kind {
        Some(kind) => kind.columns(),
        None => kind::COMMON
            .iter()
            .map(|field| Column { field, part: None })
            .collect(),
    }
}

/// Writes entries of one kind, or of the unknown ones, as a table.
///
/// # Errors
/// What the CSV writer says: none, as it writes into memory.
pub fn write_table<'a>(
    kind: Option<&'static Kind>,
    entries: impl IntoIterator<Item = (&'a Entry, &'a Author)>,
) -> Result<Vec<u8>, ::csv::Error> {
    let columns = columns(kind);
    let mut writer = ::csv::WriterBuilder::new()
        .terminator(::csv::Terminator::CRLF)
        .from_writer(Vec::new());
    let names = columns.iter().map(Column::name);
    let head = HEAD.map(str::to_owned).into_iter();
    writer.write_record(head.chain(names).chain([MORE.to_owned()]))?;
    for (entry, author) in entries {
        writer.write_record(row(&columns, entry, author))?;
    }
    writer
        .into_inner()
        .map_err(|error| error.into_error().into())
}

/// Returns the name of the table that an entry belongs in, which is its kind's.
pub fn table_of(kind: Option<&Kind>) -> &'static str {
    kind.map_or(OTHER, |kind| kind.name)
}

fn row(columns: &[Column], entry: &Entry, author: &Author) -> Vec<String> {
    let author = entry.author.as_ref().unwrap_or(author);
    let mut row = vec![
        entry.id.to_string(),
        entry.kind.clone(),
        entry.at.to_string(),
        entry.at.zone().unwrap_or_default().to_owned(),
        format!("{:.3}", entry.recorded_at()),
        author.person.clone(),
        author.device.clone(),
    ];
    let mut fields = flat(entry);
    for column in columns {
        let name = column.name();
        let cell = fields
            .get(&name)
            .and_then(|value| cell(&column.shape(), value));
        if cell.is_some() {
            fields.remove(&name);
        }
        row.push(cell.unwrap_or_default());
    }
    row.push(more(&fields));
    row
}

/// Writes what no column holds as a JSON object; nothing if there is nothing.
fn more(fields: &Fields) -> String {
    if fields.is_empty() {
        return String::new();
    }
    let object: BTreeMap<_, _> = fields
        .iter()
        .map(|(name, value)| (name, json::value_json(value)))
        .collect();
    serde_json::json!(object).to_string()
}

/// Writes a value so that it reads back as the same; none if it would not.
fn cell(shape: &Shape, value: &Value) -> Option<String> {
    let text = match value {
        Value::Scalar(scalar) => scalar_text(scalar)?,
        Value::List(list) => {
            let parts: Option<Vec<String>> = list.iter().map(scalar_text).collect();
            let escaped = |part: String| part.replace('\\', "\\\\").replace(';', "\\;");
            let parts: Vec<String> = parts?.into_iter().map(escaped).collect();
            parts.join(";")
        }
    };
    (value_of(shape, &text).as_ref() == Some(value)).then_some(text)
}

fn scalar_text(scalar: &Scalar) -> Option<String> {
    match scalar {
        Scalar::Int(number) => Some(number.to_string()),
        Scalar::Float(number) => Some(number.to_string()),
        Scalar::Text(text) => Some(text.clone()),
        _ => None,
    }
}

/// Reads a cell as its shape has it; whether it is valid shows later. An empty one says nothing.
fn value_of(shape: &Shape, text: &str) -> Option<Value> {
    if text.is_empty() {
        return None;
    }
    let plain = || Value::from(text);
    let is_state = text == SKIPPED || text == UNABLE;
    Some(match shape {
        Shape::Int { .. }
        | Shape::Minutes { .. }
        | Shape::Hours { .. }
        | Shape::Decimal { .. }
        | Shape::Either { .. } => number(text).map_or_else(plain, Value::Scalar),
        _ if is_state => plain(),
        Shape::Numbers { .. } => {
            let numbers: Option<Vec<Scalar>> = text.split(';').map(number).collect();
            numbers.map_or_else(plain, Value::List)
        }
        Shape::Choices(_) | Shape::Texts { .. } => {
            Value::List(split(text).into_iter().map(Scalar::Text).collect())
        }
        _ => plain(),
    })
}

fn number(text: &str) -> Option<Scalar> {
    let text = text.trim();
    let whole = text.parse().map(Scalar::Int).ok();
    whole.or_else(|| {
        let number: f64 = text.parse().ok()?;
        number.is_finite().then_some(Scalar::Float(number))
    })
}

/// Splits a list at its semicolons.
fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let next = match character {
            ';' => {
                parts.push(String::new());
                continue;
            }
            '\\' => characters.next().unwrap_or('\\'),
            other => other,
        };
        if let Some(last) = parts.last_mut() {
            last.push(next);
        }
    }
    parts
}

/// Why a table cannot be read at all.
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
pub enum UnreadableTable {
    /// It is none of ebb's, and no mapping says what its columns are.
    #[error("its columns are not those of ebb: {}", .0.join(", "))]
    Unmapped(Vec<String>),
    /// The mapping names a column that it does not have.
    #[error("it has no column `{column}`; it has {}", .has.join(", "))]
    NoColumn {
        /// The name.
        column: String,
        /// The columns it has.
        has: Vec<String>,
    },
    /// Nothing says what kind its rows are.
    #[error("nothing says what kind of entries its rows are")]
    NoKind,
    /// Nothing says when its rows happened.
    #[error("nothing says when its rows happened: no column is mapped to `at` or `date`")]
    NoTime,
    /// A mapping names a field that the kind does not have.
    #[error(transparent)]
    Field(#[from] Invalid),
}

/// How the columns of a table are read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What each column is.
    roles: Vec<Role>,
    kind: Option<String>,
    zone: TimeZone,
    /// Columns that say nothing to ebb.
    pub ignored: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum Role {
    /// Not read.
    Nothing,
    Id,
    Kind,
    At,
    Zone,
    Person,
    Device,
    More,
    /// A field of the very name in storage.
    Stored(String),
    /// A date, a time of day, or a field as people type it.
    Date,
    Time,
    Typed(String),
}

/// What someone says about a table that is none of ebb's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    /// By column, what it is: a field of the kind, or `at`, `date`, `time`, `kind`.
    pub columns: BTreeMap<String, String>,
    /// The kind of all its rows.
    pub kind: Option<String>,
}

impl Reading {
    /// Finds out how to read a table with these columns. `zone` is where its clock times without an offset are from.
    ///
    /// # Errors
    /// [`UnreadableTable`].
    pub fn of(
        header: &[String],
        mapping: &Mapping,
        zone: &TimeZone,
    ) -> Result<Self, UnreadableTable> {
        let mut reading = Self {
            roles: Vec::new(),
            kind: mapping.kind.clone(),
            zone: zone.clone(),
            ignored: Vec::new(),
        };
        let header: Vec<String> = header
            .iter()
            .map(|name| name.trim_start_matches('\u{feff}').trim().to_owned())
            .collect();
        if mapping.columns.is_empty() {
            let ours = ["id", "kind", "at"];
            if !ours.iter().all(|name| header.iter().any(|has| has == name)) {
                return Err(UnreadableTable::Unmapped(header));
            }
            reading.roles = header.iter().map(|name| own_role(name)).collect();
        } else {
            reading.map(&header, mapping)?;
        }
        let ignored = header.iter().zip(&reading.roles);
        reading.ignored = ignored
            .filter(|(name, role)| **role == Role::Nothing && *name != "recorded_at")
            .map(|(name, _)| name.clone())
            .collect();
        Ok(reading)
    }

    fn map(&mut self, header: &[String], mapping: &Mapping) -> Result<(), UnreadableTable> {
        if let Some(missing) = mapping.columns.keys().find(|name| !header.contains(name)) {
            return Err(UnreadableTable::NoColumn {
                column: missing.clone(),
                has: header.to_vec(),
            });
        }
        let kind = mapping
            .kind
            .as_deref()
            .map(crate::validate::known)
            .transpose()?;
        for name in header {
            let role = match mapping.columns.get(name).map(String::as_str) {
                None => Role::Nothing,
                Some("id") => Role::Id,
                Some("kind") => Role::Kind,
                Some("at") => Role::At,
                Some("date") => Role::Date,
                Some("time") => Role::Time,
                Some("person") => Role::Person,
                Some(field) => {
                    let known = kind.map(|kind| named(kind, field)).transpose()?;
                    Role::Typed(known.map_or(field, |field| field.name).to_owned())
                }
            };
            self.roles.push(role);
        }
        if kind.is_none() && !self.roles.contains(&Role::Kind) {
            return Err(UnreadableTable::NoKind);
        }
        if !self.roles.contains(&Role::At) && !self.roles.contains(&Role::Date) {
            return Err(UnreadableTable::NoTime);
        }
        Ok(())
    }

    /// Reads one row.
    ///
    /// # Errors
    /// [`Refused`] with the reason.
    pub fn row(&self, cells: &[String]) -> Result<Given, Refused> {
        let by = |wanted: Role| {
            let place = self.roles.iter().position(|role| *role == wanted)?;
            cells
                .get(place)
                .map(|cell| cell.trim())
                .filter(|cell| !cell.is_empty())
        };
        let kind = by(Role::Kind).or(self.kind.as_deref());
        let kind = kind.ok_or_else(|| Refused::Malformed("kind is empty".to_owned()))?;
        let (at, vague) = self.at(by(Role::At), by(Role::Date), by(Role::Time))?;
        let at = match by(Role::Zone) {
            Some(zone) => At::new(at.instant(), at.offset(), Some(zone.to_owned())),
            None => at,
        };
        let mut draft = Draft::new(kind, at);
        if vague {
            draft = draft.with("precision", "day-part");
        }
        if let Some(person) = by(Role::Person) {
            draft.author = Some(Author {
                person: person.to_owned(),
                device: by(Role::Device).unwrap_or("import").to_owned(),
            });
        }
        for (role, cell) in self.roles.iter().zip(cells) {
            draft.fields.extend(fields_of(kind, role, cell)?);
        }
        let id = by(Role::Id).map(|id| {
            let id = id.parse();
            id.map_err(|_| Refused::Malformed("id is not the id of an entry".to_owned()))
        });
        Ok(Given {
            id: id.transpose()?,
            draft,
        })
    }

    /// Reads when a row happened, and whether only the day is known.
    fn at(
        &self,
        at: Option<&str>,
        date: Option<&str>,
        clock: Option<&str>,
    ) -> Result<(At, bool), Refused> {
        let wrong = |text: &str| {
            Refused::Malformed(format!(
                "`{text}` is not a time such as 2026-11-20 08:00 or 2026-11-20T08:00:00+01:00"
            ))
        };
        let text = match (at, date, clock) {
            (Some(at), ..) => at.to_owned(),
            (None, Some(date), Some(clock)) => format!("{date} {clock}"),
            (None, Some(date), None) => date.to_owned(),
            (None, None, _) => return Err(Refused::Malformed("at is empty".to_owned())),
        };
        if let Ok(at) = text.parse::<At>() {
            return Ok((at, false));
        }
        let (civil, vague) = match text.parse::<Date>() {
            Ok(date) if text.len() <= 10 => (date.to_datetime(time(12, 0, 0, 0)), true),
            _ => (text.parse::<DateTime>().map_err(|_| wrong(&text))?, false),
        };
        let at = At::from_civil(civil, &self.zone);
        Ok((
            at.map_err(|error| Refused::Malformed(error.to_string()))?,
            vague,
        ))
    }
}

/// Returns what a column of ebb's own is; of a name that is none, nothing.
fn own_role(name: &str) -> Role {
    match name {
        "id" => Role::Id,
        "kind" => Role::Kind,
        "at" => Role::At,
        "zone" => Role::Zone,
        "person" => Role::Person,
        "device" => Role::Device,
        MORE => Role::More,
        _ if is_column(name) => Role::Stored(name.to_owned()),
        _ => Role::Nothing,
    }
}

fn is_column(name: &str) -> bool {
    let all = kind::KINDS.iter().flat_map(Kind::columns);
    all.into_iter().any(|column| column.name() == name)
}

/// Finds the field that someone names in a mapping.
fn named(kind: &'static Kind, name: &str) -> Result<&'static Field, Invalid> {
    let called = || kind.fields.iter().find(|field| field.is_called(name));
    let found = kind.field(name).or_else(called);
    found.ok_or_else(|| Invalid::UnknownField {
        kind: kind.name.to_owned(),
        field: name.to_owned(),
    })
}

/// Reads what one cell says about the fields of an entry.
fn fields_of(kind: &str, role: &Role, cell: &str) -> Result<Fields, Refused> {
    let one = |name: &str, value: Value| Fields::from([(name.to_owned(), value)]);
    Ok(match role {
        Role::Stored(name) => {
            let columns = columns(kind::kind(kind));
            let column = columns.iter().find(|column| column.name() == *name);
            let value = match column {
                Some(column) => value_of(&column.shape(), cell),
                None => (!cell.is_empty()).then(|| cell.into()),
            };
            value.map(|value| one(name, value)).unwrap_or_default()
        }
        Role::Typed(name) if !cell.trim().is_empty() => parse_field(kind, name, cell)?,
        Role::More if !cell.is_empty() => {
            let wrong = || Refused::Malformed("more is not a JSON object of fields".to_owned());
            let object: BTreeMap<String, serde_json::Value> =
                serde_json::from_str(cell).map_err(|_| wrong())?;
            let fields = object.into_iter().map(|(name, value)| {
                let value = json::value(&value)?;
                Some((name, value))
            });
            fields.collect::<Option<Fields>>().ok_or_else(wrong)?
        }
        _ => Fields::new(),
    })
}

/// The rows of a table, each with its line.
#[derive(Clone, Debug)]
pub struct Rows {
    /// The rows, from the top.
    pub rows: Vec<(u64, Result<Given, Refused>)>,
    /// Columns that say nothing to ebb.
    pub ignored: Vec<String>,
}

/// Reads a table, its header first, with commas, semicolons or tabs between the cells.
///
/// # Errors
/// [`UnreadableTable`] if its columns cannot be understood.
pub fn read_table(
    bytes: &[u8],
    mapping: &Mapping,
    zone: &TimeZone,
) -> Result<Rows, UnreadableTable> {
    let mut reader = ::csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter(bytes))
        .from_reader(bytes);
    let cells = |record: &::csv::StringRecord| record.iter().map(str::to_owned).collect();
    let mut record = ::csv::StringRecord::new();
    let header: Vec<String> = match reader.read_record(&mut record) {
        Ok(true) => cells(&record),
        _ => Vec::new(),
    };
    let reading = Reading::of(&header, mapping, zone)?;
    let mut rows = Vec::new();
    loop {
        let line = reader.position().line();
        let row = match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {
                let cells: Vec<String> = cells(&record);
                reading.row(&cells)
            }
            Err(error) => Err(Refused::Malformed(error.to_string())),
        };
        let line = record.position().map_or(line, ::csv::Position::line);
        rows.push((line, row));
    }
    Ok(Rows {
        rows,
        ignored: reading.ignored,
    })
}

/// Returns what stands between the cells of the first line.
fn delimiter(bytes: &[u8]) -> u8 {
    let first = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let count = |wanted: u8| first.iter().filter(|byte| **byte == wanted).count();
    let by_count = [b',', b';', b'\t'].into_iter().rev();
    by_count.max_by_key(|byte| count(*byte)).unwrap_or(b',')
}
