//! The protocol's messages, described for the OpenAPI document.
//!
//! The messages themselves are [`protocol::api`]'s, which knows nothing of OpenAPI; a test compares the keys named here
//! with those that are really written.

use serde_json::json;
use utoipa::openapi::{
    ArrayBuilder, KnownFormat, ObjectBuilder, Ref, RefOr, Schema, SchemaFormat, Type,
};

type Named = (&'static str, RefOr<Schema>);
type Field = (&'static str, &'static str, RefOr<Schema>);

/// Returns every message by its name.
pub(super) fn all() -> Vec<Named> {
    let mut all = parts();
    all.extend(requests());
    all.extend(answers());
    all.extend(snapshots());
    all.push(("Problem", problem()));
    all
}

fn parts() -> Vec<Named> {
    vec![
        (
            "Vector",
            ObjectBuilder::new()
                .description(Some(
                    "How far each chain is known: a map from chain (16 bytes) to an array of the last place (from 1) and \
                     the last envelope's hash (32 bytes), in ascending order of the chains",
                ))
                .additional_properties(Some(list("Place and hash", any())))
                .into(),
        ),
        (
            "LogPage",
            map(
                "A part of a member log",
                vec![
                    ("length", "the number of records that the relay has", number()),
                    ("head", "the hash of the last", bytes()),
                    ("records", "records from the index asked for, as many as fit a page", list("Records", bytes())),
                    ("blobs", "the sealed keys that these records give to devices; for an invite, also its own", list("Sealed keys", bytes())),
                ],
            ),
        ),
    ]
}

fn requests() -> Vec<Named> {
    let records = || list("Signed member-log records", bytes());
    let blobs = || list("Sealed keys that the records name", bytes());
    vec![
        (
            "Create",
            map(
                "A whole member log",
                vec![
                    ("records", "every record, the genesis first", records()),
                    (
                        "blobs",
                        "their sealed keys, as far as the client has them",
                        blobs(),
                    ),
                ],
            ),
        ),
        (
            "LogAppend",
            map(
                "Records to append",
                vec![
                    ("head", "the head that the first record follows", bytes()),
                    ("records", "the records, in order", records()),
                    ("blobs", "their sealed keys", blobs()),
                ],
            ),
        ),
        (
            "SyncRequest",
            map(
                "What a client has",
                vec![
                    ("log_length", "the number of records of its log", number()),
                    ("head", "the hash of the last", bytes()),
                    ("vector", "its envelopes", named("Vector")),
                ],
            ),
        ),
        (
            "Append",
            map(
                "Envelopes to store",
                vec![
                    (
                        "head",
                        "the client's head; if it is not the relay's, nothing is stored",
                        bytes(),
                    ),
                    (
                        "envelopes",
                        "at most 256, each chain in order",
                        list("Envelopes", bytes()),
                    ),
                ],
            ),
        ),
    ]
}

fn answers() -> Vec<Named> {
    let refused = map(
        "An envelope that was not stored",
        vec![
            ("index", "its place in the request, from 0", number()),
            ("reason", "why, in words", text()),
        ],
    );
    vec![
        (
            "JournalList",
            map(
                "Journals of a device",
                vec![("journals", "their ids, in order", list("Journals", bytes()))],
            ),
        ),
        (
            "SyncAnswer",
            map(
                "What a client lacks",
                vec![
                    (
                        "log",
                        "the log from the client's end on; only its end if the client's log is another",
                        named("LogPage"),
                    ),
                    (
                        "envelopes",
                        "envelopes outside the client's vector, each chain in order",
                        list("Envelopes", bytes()),
                    ),
                    (
                        "more",
                        "whether the vector lacks more than this page brought",
                        ObjectBuilder::new().schema_type(Type::Boolean).into(),
                    ),
                    (
                        "heads",
                        "the last envelope the relay has of each chain",
                        named("Vector"),
                    ),
                    (
                        "quota",
                        "an array: the bytes that the journal takes, and those that it may",
                        list("Bytes in use, and the most", number()),
                    ),
                ],
            ),
        ),
        (
            "Appended",
            map(
                "What became of envelopes; all that are not refused are durable",
                vec![
                    (
                        "heads",
                        "the last envelope the relay has of each chain",
                        named("Vector"),
                    ),
                    (
                        "refused",
                        "the envelopes not stored",
                        list("Refused envelopes", refused),
                    ),
                ],
            ),
        ),
    ]
}

fn snapshots() -> Vec<Named> {
    vec![
        (
            "PutSnapshots",
            map(
                "Snapshots to keep",
                vec![
                    (
                        "snapshots",
                        "signed manifests",
                        list("At most four", bytes()),
                    ),
                    (
                        "acknowledgements",
                        "acknowledgements of these, or of those that are kept",
                        list("At most eighty", acknowledgement()),
                    ),
                    (
                        "start",
                        "whether chains go on from what is covered, where less is here",
                        ObjectBuilder::new().schema_type(Type::Boolean).into(),
                    ),
                ],
            ),
        ),
        (
            "Snapshots",
            map(
                "The snapshots that are here whole",
                vec![
                    (
                        "snapshots",
                        "signed manifests, oldest first",
                        list("Manifests", bytes()),
                    ),
                    (
                        "acknowledgements",
                        "acknowledgements of these",
                        list("Acknowledgements", acknowledgement()),
                    ),
                ],
            ),
        ),
        (
            "SnapshotParts",
            map(
                "Parts of a snapshot",
                vec![(
                    "parts",
                    "envelopes, as many as fit a page",
                    list("Envelopes", bytes()),
                )],
            ),
        ),
    ]
}

fn acknowledgement() -> RefOr<Schema> {
    map(
        "A member's signature that it holds the same",
        vec![
            ("snapshot", "the hash of the signed manifest", bytes()),
            ("device", "the device that checked it", bytes()),
            (
                "signature",
                "its signature over journal and snapshot",
                bytes(),
            ),
        ],
    )
}

fn problem() -> RefOr<Schema> {
    ObjectBuilder::new()
        .description(Some("A problem (RFC 9457)"))
        .property(
            "type",
            ObjectBuilder::new()
                .schema_type(Type::String)
                .description(Some("What a client acts on"))
                .enum_values(Some(KINDS)),
        )
        .required("type")
        .property("status", number())
        .required("status")
        .property("detail", text())
        .required("detail")
        .property("limit", number())
        .property("time", number())
        .property("record", text())
        .examples([json!({"type": "stale-head", "status": 409, "detail": "…"})])
        .into()
}

/// The kinds of problem, as [`protocol::api::ProblemKind`] writes them.
const KINDS: [&str; 20] = [
    "malformed",
    "unauthorized",
    "forbidden",
    "not-a-member",
    "wrong-token",
    "invite-expired",
    "invite-used",
    "invite-withdrawn",
    "unknown-journal",
    "not-found",
    "stale-head",
    "rule-broken",
    "behind-frontier",
    "snapshot-unfit",
    "erased",
    "too-large",
    "too-many",
    "internal",
    "unavailable",
    "full",
];

/// Describes a CBOR map whose keys are the fields' places.
fn map(description: &str, fields: Vec<Field>) -> RefOr<Schema> {
    let mut object = ObjectBuilder::new().description(Some(description));
    for (key, (name, meaning, schema)) in fields.into_iter().enumerate() {
        let described = format!("`{name}`: {meaning}");
        let schema: RefOr<Schema> = match schema {
            RefOr::Ref(reference) => RefOr::Ref(
                Ref::builder()
                    .ref_location(reference.ref_location)
                    .description(Some(described))
                    .build(),
            ),
            RefOr::T(Schema::Object(mut object)) => {
                object.description = Some(described);
                RefOr::T(Schema::Object(object))
            }
            RefOr::T(Schema::Array(mut array)) => {
                array.description = Some(described);
                RefOr::T(Schema::Array(array))
            }
            other => other,
        };
        object = object
            .property(key.to_string(), schema)
            .required(key.to_string());
    }
    object.into()
}

fn list(description: &str, of: RefOr<Schema>) -> RefOr<Schema> {
    let array = ArrayBuilder::new().items(of).description(Some(description));
    array.into()
}

fn named(name: &str) -> RefOr<Schema> {
    RefOr::Ref(Ref::from_schema_name(name))
}

fn number() -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(0))
        .into()
}

fn text() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).into()
}

fn bytes() -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
        .into()
}

fn any() -> RefOr<Schema> {
    RefOr::T(utoipa::openapi::schema::empty())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use minicbor::Encode;
    use protocol::api::{
        Append, Appended, Create, JournalList, LogAppend, LogPage, ProblemKind, PutSnapshots,
        Quota, Refused, SnapshotParts, Snapshots, SyncAnswer, SyncRequest,
    };
    use protocol::id::RecordHash;
    use protocol::vector::Vector;

    use super::*;

    const HEAD: RecordHash = RecordHash([0; 32]);

    /// Returns the keys of a message's map, which are small numbers.
    fn keys<T: Encode<()>>(message: &T) -> Vec<String> {
        let bytes = protocol::cbor::encode(message);
        let mut decoder = minicbor::Decoder::new(&bytes);
        let length = decoder.map().unwrap().unwrap();
        (0..length)
            .map(|_| {
                let key = decoder.u8().unwrap();
                decoder.skip().unwrap();
                key.to_string()
            })
            .collect()
    }

    #[test]
    fn the_keys_are_those_that_are_written() {
        let log = || LogPage {
            length: 1,
            head: HEAD,
            records: Vec::new(),
            blobs: Vec::new(),
        };
        let (records, blobs, envelopes) = (Vec::new(), Vec::new(), Vec::new());
        let (head, vector) = (HEAD, Vector::default());
        let written = [
            ("LogPage", keys(&log())),
            (
                "LogAppend",
                keys(&LogAppend {
                    head,
                    records: records.clone(),
                    blobs: blobs.clone(),
                }),
            ),
            ("Create", keys(&Create { records, blobs })),
            (
                "SyncRequest",
                keys(&SyncRequest {
                    log_length: 1,
                    head,
                    vector: vector.clone(),
                }),
            ),
            (
                "SyncAnswer",
                keys(&SyncAnswer {
                    log: log(),
                    envelopes: Vec::new(),
                    more: false,
                    heads: vector.clone(),
                    quota: Quota { used: 0, limit: 0 },
                }),
            ),
            ("PutSnapshots", keys(&PutSnapshots::default())),
            ("Snapshots", keys(&Snapshots::default())),
            ("SnapshotParts", keys(&SnapshotParts { parts: Vec::new() })),
            ("Append", keys(&Append { head, envelopes })),
            (
                "Appended",
                keys(&Appended {
                    heads: vector,
                    refused: Vec::new(),
                }),
            ),
            (
                "JournalList",
                keys(&JournalList {
                    journals: Vec::new(),
                }),
            ),
        ];
        let described: BTreeMap<_, _> = all().into_iter().collect();
        for (name, keys) in written {
            let RefOr::T(Schema::Object(object)) = &described[name] else {
                panic!("{name} is no object");
            };
            let properties: Vec<_> = object.properties.keys().cloned().collect();
            assert_eq!(properties, keys, "{name}");
        }
        let refused = Refused {
            index: 0,
            reason: String::new(),
        };
        assert_eq!(keys(&refused), ["0", "1"]);
    }

    #[test]
    fn every_kind_of_problem_is_named() {
        use ProblemKind::{
            BehindFrontier, Erased, Forbidden, Full, Internal, InviteExpired, InviteUsed,
            InviteWithdrawn, Malformed, NotAMember, NotFound, RuleBroken, SnapshotUnfit, StaleHead,
            TooLarge, TooMany, Unauthorized, Unavailable, UnknownJournal, WrongToken,
        };
        let kinds = [
            Malformed,
            Unauthorized,
            Forbidden,
            NotAMember,
            WrongToken,
            InviteExpired,
            InviteUsed,
            InviteWithdrawn,
            UnknownJournal,
            NotFound,
            StaleHead,
            RuleBroken,
            BehindFrontier,
            SnapshotUnfit,
            Erased,
            TooLarge,
            TooMany,
            Internal,
            Unavailable,
            Full,
        ];
        let written = kinds.map(|kind| serde_json::to_value(kind).unwrap());
        assert_eq!(written.map(|kind| kind.as_str().unwrap().to_owned()), KINDS);
    }
}
