//! The journal as FHIR R4 resources, from the one table of kinds.
//!
//! Doses and infusions are MedicationAdministrations, everything else is an Observation with a component for each answer:
//! a value, or the reason why there is none (`skipped`: asked-declined, `unable`: asked-unknown). Whoever records for the
//! patient is a RelatedPerson. Units are UCUM; what no system of codes has is in a CodeSystem of ebb's own, which goes
//! along. Source: <https://hl7.org/fhir/R4/>.

mod answer;
mod codes;

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::flat;
use crate::entry::{Author, Entry, Status};
use crate::kind::{self, Column, Kind, System};
use crate::value::{Fields, Value};

use answer::{components, in_words, text};

/// How resources point at each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// By the full URL they have in a Bundle.
    Bundle,
    /// By type and id, as in bulk data (one resource a line).
    Lines,
}

/// Makes the resources of one journal.
#[derive(Clone, Debug)]
pub struct Fhir {
    style: Style,
    journal: String,
    patient: String,
}

/// The SNOMED CT concept of the disease that the journal is for.
const LEMS: (&str, &str) = ("56989000", "Lambert-Eaton myasthenic syndrome");
const CONDITION_CLINICAL: &str = "http://terminology.hl7.org/CodeSystem/condition-clinical";
const CONDITION_VERIFICATION: &str = "http://terminology.hl7.org/CodeSystem/condition-ver-status";
const UCUM: &str = "http://unitsofmeasure.org";
/// The system of the words an entry can be found by.
const TAGS: &str = "urn:ebb:journal:tag";

impl Fhir {
    /// Starts with whose journal it is. `journal` is its id.
    pub fn new(style: Style, journal: &str, patient: &str) -> Self {
        Self {
            style,
            journal: journal.to_owned(),
            patient: patient.to_owned(),
        }
    }

    /// Returns what the entries point at: the patient, the disease, the other people, and the local codes.
    pub fn resources(&self, people: &BTreeSet<String>) -> Vec<Json> {
        let patient = json!({
            "resourceType": "Patient",
            "id": self.id("Patient", &self.patient),
            "name": [{ "text": text(&self.patient) }],
        });
        let others = people.iter().filter(|name| **name != self.patient);
        let others = others.map(|name| {
            json!({
                "resourceType": "RelatedPerson",
                "id": self.id("RelatedPerson", name),
                "patient": self.patient_reference(),
                "name": [{ "text": text(name) }],
            })
        });
        [patient, self.condition(), self.code_system()]
            .into_iter()
            .chain(others)
            .collect()
    }

    fn condition(&self) -> Json {
        let coded =
            |system: &str, code: &str| json!({ "coding": [{ "system": system, "code": code }] });
        let (code, display) = LEMS;
        json!({
            "resourceType": "Condition",
            "id": self.id("Condition", code),
            "clinicalStatus": coded(CONDITION_CLINICAL, "active"),
            "verificationStatus": coded(CONDITION_VERIFICATION, "unconfirmed"),
            "code": { "coding": [{
                "system": System::Snomed.uri(), "code": code, "display": display,
            }] },
            "subject": self.patient_reference(),
            "note": [{ "text": "What the journal is for; self-reported." }],
        })
    }

    fn code_system(&self) -> Json {
        json!({
            "resourceType": "CodeSystem",
            "id": self.id("CodeSystem", System::Local.uri()),
            "url": System::Local.uri(),
            "name": "EbbJournal",
            "title": "Kinds and fields of an ebb journal",
            "status": "active",
            "content": "complete",
            "caseSensitive": true,
            "concept": codes::concepts(),
        })
    }

    /// Returns an entry as a resource.
    pub fn entry(&self, entry: &Entry, author: &Author) -> Json {
        let author = entry.author.as_ref().unwrap_or(author);
        let mut resource = match entry.kind.as_str() {
            "dose" => self.administration(entry, author, ["medicine", "amount_mg", "mg"]),
            "infusion" => self.administration(entry, author, ["product", "amount_g", "g"]),
            _ => self.observation(entry, author),
        };
        if let Some(object) = resource.as_object_mut() {
            object.insert("id".to_owned(), json!(entry.id.to_string()));
            object.insert(
                "identifier".to_owned(),
                json!([{ "system": "urn:ietf:rfc:3986", "value": format!("urn:uuid:{}", entry.id) }]),
            );
            object.insert("subject".to_owned(), self.patient_reference());
            object.insert("effectiveDateTime".to_owned(), json!(entry.at.to_string()));
            if !entry.tags.is_empty() {
                let tags = entry
                    .tags
                    .iter()
                    .map(|tag| json!({ "system": TAGS, "display": text(tag) }));
                object.insert(
                    "meta".to_owned(),
                    json!({ "tag": tags.collect::<Vec<_>>() }),
                );
            }
        }
        resource
    }

    fn observation(&self, entry: &Entry, author: &Author) -> Json {
        let kind = kind::kind(&entry.kind);
        let mut object = Map::new();
        let mut put = |name: &str, value: Json| object.insert(name.to_owned(), value);
        put("resourceType", json!("Observation"));
        put("status", json!(entry.status.as_str()));
        put("issued", json!(format!("{:.3}", entry.recorded_at())));
        put("performer", json!([self.person_reference(&author.person)]));
        let mut fields = flat(entry);
        for name in ["status", "tags", "note"] {
            fields.remove(name);
        }
        let slept = (entry.kind == "sleep")
            .then(|| kind::Night::of(&entry.fields).total_sleep_time())
            .flatten();
        put("code", codes::of_entry(kind, &entry.kind, slept.is_some()));
        if let Some(slept) = slept {
            put(
                "valueQuantity",
                codes::quantity(json!(slept.as_mins()), Some("min")),
            );
        }
        if let Some(note) = &entry.note {
            if kind.is_some_and(Kind::says_note) {
                put("valueString", json!(text(note)));
            } else {
                put("note", json!([{ "text": text(note) }]));
            }
        }
        let components = components(kind, &entry.kind, &fields);
        if !components.is_empty() {
            put("component", json!(components));
        }
        Json::Object(object)
    }

    /// Makes what was taken, or was to be; `names` are the fields of what, how much, and the unit.
    fn administration(&self, entry: &Entry, author: &Author, names: [&str; 3]) -> Json {
        let [what, amount, unit] = names;
        let mut fields = flat(entry);
        let taken = fields.get("taken").and_then(Value::as_text);
        let not_done = taken == Some("skipped");
        let status = match entry.status {
            Status::EnteredInError => "entered-in-error",
            _ if not_done => "not-done",
            _ => "completed",
        };
        let mut take = |name: &str| fields.remove(name);
        let medicine = take(what).map(|value| in_words(&value)).unwrap_or_default();
        let dose = take(amount)
            .filter(is_number)
            .map(|value| codes::quantity(answer::number(&value), Some(unit)));
        let giver = take("given_by").map(|value| in_words(&value));
        for name in ["status", "tags", "note"] {
            take(name);
        }
        let mut object = Map::new();
        let mut put = |name: &str, value: Json| object.insert(name.to_owned(), value);
        put("resourceType", json!("MedicationAdministration"));
        put("status", json!(status));
        put(
            "medicationCodeableConcept",
            json!({ "text": text(&medicine) }),
        );
        let actor = match giver {
            Some(name) => json!({ "display": text(&name) }),
            None => self.person_reference(&author.person),
        };
        put("performer", json!([{ "actor": actor }]));
        if not_done {
            fields.remove("taken");
            if let Some(reason) = fields.remove("reason") {
                put(
                    "statusReason",
                    json!([{ "text": text(&in_words(&reason)) }]),
                );
            }
        }
        if let Some(dose) = dose {
            put("dosage", json!({ "dose": dose }));
        }
        let mut notes: Vec<Json> = entry
            .note
            .iter()
            .map(|note| json!({ "text": text(note) }))
            .collect();
        notes.extend(remarks(&entry.kind, &fields));
        if !notes.is_empty() {
            put("note", json!(notes));
        }
        Json::Object(object)
    }

    fn patient_reference(&self) -> Json {
        self.reference("Patient", &self.id("Patient", &self.patient))
    }

    fn person_reference(&self, name: &str) -> Json {
        if name == self.patient {
            self.patient_reference()
        } else {
            self.reference("RelatedPerson", &self.id("RelatedPerson", name))
        }
    }

    fn reference(&self, of: &str, id: &str) -> Json {
        match self.style {
            Style::Bundle => json!({ "reference": format!("urn:uuid:{id}") }),
            Style::Lines => json!({ "reference": format!("{of}/{id}") }),
        }
    }

    /// Makes an id that is the same in every export of this journal.
    fn id(&self, of: &str, name: &str) -> String {
        let hash = Sha256::new()
            .chain_update(b"ebb FHIR resource 1\n")
            .chain_update(format!("{}\n{of}\n{name}", self.journal))
            .finalize();
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(hash) {
            *to = from;
        }
        uuid::Builder::from_custom_bytes(bytes)
            .into_uuid()
            .to_string()
    }
}

/// Returns the full URL of a resource in a Bundle.
pub fn full_url(resource: &Json) -> String {
    let id = resource.get("id").and_then(Json::as_str);
    let id = id
        .and_then(|id| Uuid::parse_str(id).ok())
        .unwrap_or_default();
    format!("urn:uuid:{id}")
}

/// Says what a resource has no place for, one remark a field.
fn remarks(kind: &str, fields: &Fields) -> Vec<Json> {
    let columns = kind::kind(kind).map(Kind::columns).unwrap_or_default();
    let label = |name: &str| {
        let column = columns.iter().find(|column| column.name() == name);
        column.map_or_else(|| name.to_owned(), Column::label)
    };
    let remarks = fields
        .iter()
        .map(|(name, value)| format!("{}: {}", label(name), in_words(value)));
    remarks
        .map(|remark| json!({ "text": text(&remark) }))
        .collect()
}

fn is_number(value: &Value) -> bool {
    matches!(
        value,
        Value::Scalar(crate::Scalar::Int(_) | crate::Scalar::Float(_))
    )
}
