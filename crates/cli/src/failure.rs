//! What each failure of the client is called, its exit code, and what to type then.
//!
//! The one place where the client's errors become [`CommandError`]s. Exit codes follow the family the client names.

use std::error::Error;

use client::bundle::TransferError;
use client::genesis::InitError;
use client::join::JoinError;
use client::membership::held::HeldError;
use client::membership::invite::Role;
use client::membership::member::MemberError;
use client::membership::recovery::RestoreError;
use client::membership::renewal::RenewError;
use client::query::{LookupError, ReadError};
use client::status::{About, Standing};
use client::sync::RelayError;
use client::sync::SyncError;
use client::transfer::{ExportError, ImportError};
use client::{Family, Journal, OpenError, RecordError};
use jiff::Zoned;
use journal::validate::Invalid;

use crate::arguments::example;
use crate::error::{CommandError, Exit};
use crate::moment::InvalidMoment;

/// What to type where a device may not be a member.
const STANDING: &str = "ebb status    (says whether it waits for an owner, or was removed)";

/// Returns the exit code of a family of failures.
fn exit(family: Family) -> Exit {
    match family {
        Family::CouldNot => Exit::CouldNot,
        Family::Usage => Exit::Usage,
        Family::NotPermitted => Exit::NotPermitted,
        Family::Offline => Exit::Offline,
        Family::Damaged => Exit::Damaged,
    }
}

/// Makes the error, with the root cause as a remark if the message does not say it.
fn from(kind: &'static str, family: Family, error: &dyn Error) -> CommandError {
    let message = error.to_string();
    let mut root = None;
    let mut next = error.source();
    while let Some(cause) = next {
        root = Some(cause.to_string());
        next = cause.source();
    }
    let made = CommandError::new(kind, exit(family), message.clone());
    match root.filter(|root| !message.contains(root.as_str())) {
        Some(root) => made.remark(root),
        None => made,
    }
}

/// Adds what to do about a damaged replica or secret.
fn mend(error: CommandError) -> CommandError {
    error
        .hint("move that journal's folder away and keep it: it may hold entries that no relay has")
        .hint("ebb device add    (on another device of yours), then here: ebb join LINK")
}

/// Makes a text that cannot be a token as little permitted as a token that the relay does not know.
fn no_token(error: CommandError) -> CommandError {
    CommandError {
        exit: Exit::NotPermitted,
        ..error
    }
    .hint("ask whoever runs the relay for a token (ebb-relay token new)")
}

/// Puts a time that is none into words; `flag` is the line up to the time, such as `ebb 6 --at`.
pub(crate) fn moment(error: InvalidMoment, flag: &str) -> CommandError {
    use journal::time::NotOneTime;
    let made = CommandError::new("invalid-time", Exit::Usage, error.to_string());
    match error {
        InvalidMoment::NotATime { .. } | InvalidMoment::Impossible { .. } => made
            .hint(format!("{flag} 14:30"))
            .hint(format!("{flag} \"yesterday 22:30\"")),
        InvalidMoment::NoTimeOfDay { text } => made.hint(format!("{flag} \"{text} 22:30\"")),
        InvalidMoment::Ahead { at, .. } => {
            made.hint(format!("{flag} {at} --future    (if it is meant)"))
        }
        InvalidMoment::NotOneTime(NotOneTime::Never {
            before: a,
            after: b,
            ..
        })
        | InvalidMoment::NotOneTime(NotOneTime::Twice {
            first: a,
            second: b,
            ..
        }) => made.hint(format!("{flag} {a}")).hint(format!("{flag} {b}")),
        InvalidMoment::NotOneTime(NotOneTime::OutOfRange { .. }) => made,
    }
}

/// Puts what is not valid about an entry of `kind` into words.
pub(crate) fn invalid(error: &Invalid, kind: &str) -> CommandError {
    let name = match error {
        Invalid::UnknownKind { .. } => "unknown-kind",
        Invalid::UnknownField { .. } => "unknown-field",
        Invalid::NoteTooLong { .. } | Invalid::TextTooLong { .. } | Invalid::TooMany { .. } => {
            "too-long"
        }
        Invalid::Missing { .. } | Invalid::Empty { .. } => "missing-field",
        _ => "invalid-value",
    };
    let made = CommandError::new(name, Exit::Usage, error.to_string());
    match name {
        "too-long" => made.hint("several shorter notes: ebb note \"…\""),
        _ => made.hint(example(kind)),
    }
}

/// Says that a text is no day.
pub(crate) fn no_day(field: &str, text: &str) -> CommandError {
    let message = format!("{field} is {text}; it must be a date such as 2026-11-20");
    CommandError::new("invalid-value", Exit::Usage, message)
        .hint(format!("--{field} 2026-11-20"))
        .hint(format!("--{field} yesterday"))
}

impl From<OpenError> for CommandError {
    fn from(error: OpenError) -> Self {
        let family = error.family();
        let named = |kind| from(kind, family, &error);
        match &error {
            OpenError::NoJournal => named("no-journal").hint("ebb init").hint("ebb join LINK"),
            OpenError::Unknown(_) => named("unknown-journal").hint("ebb journals"),
            OpenError::Several(journals) => journals
                .iter()
                .fold(named("several-journals"), |error, journal| {
                    error.hint(format!("ebb -j {}", journal.label))
                })
                .hint("ebb journals default NAME    (the one meant from then on)"),
            OpenError::Io { .. } => named("unreadable"),
            OpenError::Write { .. } => named("unwritable"),
            OpenError::Secret { .. } => mend(named("damaged-secret")),
            OpenError::Replica(_) if family == Family::Damaged => mend(named("damaged-replica")),
            OpenError::Replica(_) => named("replica-unusable"),
            OpenError::Damaged(_) => mend(named("damaged-replica")),
        }
    }
}

impl From<ReadError> for CommandError {
    fn from(error: ReadError) -> Self {
        let family = error.family();
        if family == Family::Damaged {
            mend(from("damaged-replica", family, &error))
        } else {
            from("replica-unusable", family, &error)
        }
    }
}

/// Puts an id that names no one entry into words, with the entries that it may mean.
pub(crate) fn lookup(error: LookupError, now: &Zoned) -> CommandError {
    let family = error.family();
    match error {
        LookupError::Empty => from("usage", family, &error).hint("ebb list"),
        LookupError::Unknown(_) => from("unknown-id", family, &error).hint("ebb list"),
        LookupError::Ambiguous { ref matches, .. } => {
            matches
                .iter()
                .fold(from("ambiguous-id", family, &error), |error, view| {
                    let when = journal::time::when(&view.entry.at, view.entry.precision, now);
                    let words = journal::words::words(&view.entry);
                    error.hint(format!("ebb show {}    ({words}, {when})", view.short_id))
                })
        }
        LookupError::Read(error) => error.into(),
    }
}

/// Puts a failure to record or change an entry of `kind` into words.
pub(crate) fn record(
    error: RecordError,
    kind: &str,
    now: &Zoned,
    journal: &Journal,
) -> CommandError {
    let family = error.family();
    let named = |kind, error: &RecordError| from(kind, family, error);
    match error {
        RecordError::Invalid(error) => invalid(&error, kind),
        RecordError::Lookup(error) => lookup(error, now),
        RecordError::Erased => named("erased", &error)
            .remark("nothing was recorded")
            .hint("ebb list")
            .hint("ebb journals leave    (takes it off this device)"),
        RecordError::ReadOnly => read_only(journal.about().ok(), &owners(journal)),
        RecordError::NotOwner => {
            let owners = owners(journal).join(" or ");
            named("not-owner", &error).hint(format!("ask {owners} to change it"))
        }
        RecordError::Clock => named("clock", &error)
            .remark("nothing was recorded")
            .hint("date"),
        RecordError::Damaged(_) => mend(named("damaged-replica", &error)),
        _ if family == Family::Damaged => {
            mend(named("damaged-replica", &error).remark("nothing was recorded"))
        }
        _ => named("not-recorded", &error).remark("nothing was recorded"),
    }
}

/// Returns the names of the journal's owners.
fn owners(journal: &Journal) -> Vec<String> {
    let people = journal.members().unwrap_or_default().into_iter();
    let owners = people.filter(|person| person.role == Some(Role::Owner));
    owners.map(|person| person.name).collect()
}

/// Says why this device may not write, and who can change that.
fn read_only(about: Option<About>, owners: &[String]) -> CommandError {
    let made = |kind, message| {
        CommandError::new(kind, Exit::NotPermitted, message).remark("nothing was recorded")
    };
    match about {
        Some(about) if about.standing == Standing::Removed => made(
            "removed",
            "this device was removed from the journal; what is on it can still be read",
        )
        .hint("ebb list"),
        Some(about) if about.standing == Standing::Waiting => {
            made("waiting", "this device waits for an owner to approve it").hint(format!(
                "ebb members approve {}    (an owner, on a device that is in)",
                about.fingerprint
            ))
        }
        about => {
            let error = made(
                "read-only",
                "this device may read this journal, not write in it",
            );
            let name = about.map_or_else(|| "NAME".to_owned(), |about| about.person);
            match owners {
                [] => error.hint("ebb members"),
                owners => error.hint(format!(
                    "ask {}, who can type: ebb role {} contributor",
                    owners.join(" or "),
                    quoted(&name)
                )),
            }
        }
    }
}

/// Puts a name of several words in quotes, as a shell wants it.
pub(crate) fn quoted(name: &str) -> String {
    if name.contains(char::is_whitespace) {
        format!("\"{name}\"")
    } else {
        name.to_owned()
    }
}

impl From<TransferError> for CommandError {
    fn from(error: TransferError) -> Self {
        let family = error.family();
        let named = |kind, error: &TransferError| from(kind, family, error);
        match error {
            TransferError::File { .. } => named("unreadable", &error).safe(),
            TransferError::Bundle { .. } if family == Family::Damaged => {
                named("damaged-bundle", &error)
                    .remark("nothing of it was taken in")
                    .safe()
                    .hint("ebb bundle export FILE    (again, on the device it came from)")
            }
            TransferError::Bundle { .. } => named("not-a-bundle", &error)
                .safe()
                .hint("ebb bundle import FILE"),
            TransferError::OtherJournal { .. } => named("other-journal", &error)
                .safe()
                .hint("ebb journals    (then: ebb -j NAME bundle import FILE)"),
            TransferError::Sync(error) => error.into(),
            TransferError::Store(_) => named("replica-unusable", &error),
        }
    }
}

impl From<ExportError> for CommandError {
    fn from(error: ExportError) -> Self {
        let named = |kind| from(kind, error.family(), &error);
        match error {
            ExportError::File { .. } | ExportError::Write(_) => {
                named("unwritable").hint("ebb export --format jsonl --out FILE")
            }
            ExportError::NeedsFolder => named("usage").hint("ebb export --format csv --out FOLDER"),
            ExportError::Read(error) => error.into(),
        }
    }
}

impl From<ImportError> for CommandError {
    fn from(error: ImportError) -> Self {
        let family = error.family();
        let named = |kind| from(kind, family, &error).remark("nothing was imported");
        let mapping = "ebb import FILE --dry-run --kind fatigue --map \"When=at,How tired=level\"";
        match &error {
            ImportError::File { .. } | ImportError::NoTables { .. } => named("unreadable"),
            ImportError::TooLong { .. } => named("too-long"),
            ImportError::Table { .. } => named("unknown-columns").hint(mapping),
            ImportError::ExportOnly => named("usage").hint("ebb import FILE --format jsonl"),
            ImportError::Record(RecordError::ReadOnly) => {
                named("read-only").hint("ebb members    (shows who may write)")
            }
            ImportError::Record(_) if family == Family::Damaged => mend(named("damaged-replica")),
            ImportError::Record(_) => named("not-recorded"),
        }
    }
}

impl From<RestoreError> for CommandError {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::Transfer(error) => error.into(),
            RestoreError::Join(JoinError::Member(MemberError::NotMember)) => Self::new(
                "unknown-phrase",
                Exit::NotPermitted,
                "the recovery phrase opens no such journal",
            )
            .remark("it may be that of another journal, or the bundle is older than the phrase")
            .hint("ebb recover --bundle FILE --phrase-file FILE"),
            RestoreError::Join(error) => error.into(),
        }
    }
}

impl From<RenewError> for CommandError {
    fn from(error: RenewError) -> Self {
        let family = error.family();
        let named = |kind, error: &RenewError| from(kind, family, error);
        match error {
            RenewError::NotOwner => named("not-permitted", &error).hint("ebb members"),
            RenewError::Init(error) => error.into(),
            RenewError::Change(_) | RenewError::Profile(_) => {
                named("not-recorded", &error).remark("the journal stays as it was")
            }
            RenewError::Read(error) => error.into(),
        }
    }
}

impl From<HeldError> for CommandError {
    fn from(error: HeldError) -> Self {
        let family = error.family();
        let named = |kind, error: &HeldError| from(kind, family, error);
        match error {
            HeldError::NoSuch(_) => named("unknown-id", &error).hint("ebb held"),
            HeldError::Closed(..) => named("not-opened", &error).safe().hint("ebb sync"),
            HeldError::ReadOnly => named("read-only", &error)
                .remark("nothing was recorded")
                .hint("ebb members    (shows who may write)"),
            HeldError::Again(_) => named("not-recorded", &error).remark("nothing was recorded"),
            HeldError::Secret(error) => error.into(),
            HeldError::Damaged(_) => mend(named("damaged-replica", &error)),
            HeldError::Store(_) if family == Family::Damaged => {
                mend(named("damaged-replica", &error))
            }
            HeldError::Store(_) => named("replica-unusable", &error),
        }
    }
}

impl From<RelayError> for CommandError {
    fn from(error: RelayError) -> Self {
        let family = error.family();
        let named = |kind| from(kind, family, &error);
        match &error {
            RelayError::Unreachable { .. } => named("relay-unreachable"),
            RelayError::Silent { .. } => named("relay-silent"),
            RelayError::Garbage { .. } => {
                named("relay-garbage").hint("ebb relay list    (is it the address of a relay?)")
            }
            RelayError::Setup(_) => named("http-setup"),
            RelayError::Problem { origin, problem } => {
                // The kind's name in the relay's own answer.
                let kind = serde_json::to_value(problem.kind).unwrap_or_default();
                match kind.as_str().unwrap_or_default() {
                    "wrong-token" => named("wrong-token")
                        .hint("ask whoever runs the relay for a token (ebb-relay token new)"),
                    "unknown-journal" => named("relay-lost-journal")
                        .hint(format!("ebb relay add {origin} --token-file FILE")),
                    "erased" => named("erased"),
                    "full" => named("relay-full").hint("ebb status"),
                    _ => named("relay-refused"),
                }
            }
        }
    }
}

impl From<SyncError> for CommandError {
    fn from(error: SyncError) -> Self {
        let family = error.family();
        let named = |kind, error: &SyncError| from(kind, family, error);
        match error {
            SyncError::NoRelay => named("no-relay", &error)
                .safe()
                .hint("ebb relay add URL --token-file FILE"),
            SyncError::Erased => named("erased", &error)
                .safe()
                .hint("ebb list")
                .hint("ebb journals leave    (takes it off this device)"),
            SyncError::Waiting => named("waiting", &error)
                .safe()
                .hint("ebb members approve NAME    (an owner, on a device that is in)"),
            SyncError::Removed => named("removed", &error)
                .safe()
                .hint("ebb list    (all that is on this device)")
                .hint("ask an owner for a new link, if it was a mistake: ebb share"),
            SyncError::Running => named("sync-running", &error).safe().hint("ebb status"),
            SyncError::Relay(error) => Self::from(error).safe().hint("ebb sync"),
            SyncError::Session { ref fault, .. } => {
                let kind = match family {
                    Family::NotPermitted => "not-a-member",
                    Family::Offline => "relay-busy",
                    Family::Damaged => "suspicious",
                    Family::CouldNot | Family::Usage => "sync-failed",
                };
                let fault = fault.to_string();
                let made = Self::new(kind, exit(family), error.to_string())
                    .remark(fault)
                    .safe();
                made.hint(if family == Family::Offline {
                    "ebb sync"
                } else {
                    "ebb status"
                })
            }
            SyncError::Suspicious(_) => named("suspicious", &error).safe().hint("ebb status"),
            SyncError::Secret(error) => error.into(),
            SyncError::Damaged(_) | SyncError::Encode(_) | SyncError::Again(_) => {
                mend(named("damaged-replica", &error))
            }
            SyncError::Store(_) if family == Family::Damaged => {
                mend(named("damaged-replica", &error))
            }
            SyncError::Store(_) | SyncError::Lock { .. } => named("replica-unusable", &error),
        }
    }
}

impl From<MemberError> for CommandError {
    fn from(error: MemberError) -> Self {
        let family = error.family();
        let named = |kind, error: &MemberError| from(kind, family, error);
        match error {
            MemberError::NoRelay => {
                named("no-relay", &error).hint("ebb relay add URL --token-file FILE")
            }
            MemberError::Listed(ref url) => named("relay-listed", &error).hint(format!(
                "ebb relay add {url} --token-file FILE    (if it lost the journal)"
            )),
            MemberError::NotListed(_) => named("relay-not-listed", &error).hint("ebb relay list"),
            MemberError::NoSuch(_) => named("unknown-name", &error)
                .hint("ebb members")
                .hint("ebb invites"),
            MemberError::Ambiguous(_) => named("ambiguous-name", &error)
                .remark("name it by its fingerprint, or as \"PERSON, DEVICE\"")
                .hint("ebb members"),
            MemberError::NotAPerson(_) => named("not-a-person", &error).hint("ebb members"),
            MemberError::OwnRemoval => named("own-removal", &error)
                .remark("another owner, or another device of yours, can remove this one")
                .hint("ebb members"),
            MemberError::Sync(error) => (*error).into(),
            MemberError::Origin(_) => {
                named("invalid-address", &error).hint("https://relay.example")
            }
            MemberError::Token(_) => no_token(named("invalid-token", &error)),
            MemberError::Name(_) => named("invalid-name", &error),
            MemberError::OpenFor => named("invalid-value", &error).hint("--expires 7d"),
            MemberError::NotMember => named("not-a-member", &error).safe().hint(STANDING),
            MemberError::Rule(_) => {
                named("not-permitted", &error).hint("ebb members    (shows who is an owner)")
            }
            MemberError::Fork { .. } => named("suspicious", &error)
                .safe()
                .hint("ebb status")
                .hint("ebb journals renew    (starts over with what is here)"),
            MemberError::InvalidLog { .. } | MemberError::NoKey { .. } => {
                named("suspicious", &error).safe().hint("ebb status")
            }
            MemberError::NewerLog => named("newer-ebb-needed", &error)
                .safe()
                .hint("ebb --version"),
            MemberError::Busy => named("relay-busy", &error),
            MemberError::Relay(error) => {
                let made = Self::from(error).safe();
                if made.kind == "relay-refused" && made.exit == Exit::NotPermitted {
                    return made.hint(STANDING);
                }
                made.hint("ebb sync    (tells when the relay is back; then the same command again)")
            }
            MemberError::Secret(error) => error.into(),
            MemberError::Key(_) | MemberError::Damaged(_) => mend(named("damaged-replica", &error)),
            MemberError::Store(_) if family == Family::Damaged => {
                mend(named("damaged-replica", &error))
            }
            MemberError::Store(_) => named("replica-unusable", &error),
        }
    }
}

impl From<InitError> for CommandError {
    fn from(error: InitError) -> Self {
        let family = error.family();
        let named = |kind, error: &InitError| from(kind, family, error);
        match error {
            InitError::Exists => named("journal-exists", &error)
                .safe()
                .hint("ebb")
                .hint("ebb status"),
            InitError::Origin(_) => {
                named("invalid-address", &error).hint("ebb init --relay https://relay.example")
            }
            InitError::Token(_) => no_token(named("invalid-token", &error))
                .hint("ebb init --relay URL --token-file FILE"),
            InitError::Name(_) => named("invalid-name", &error).hint("ebb init --name Ana"),
            InitError::Zone(_) => {
                named("invalid-zone", &error).hint("ebb init --zone Europe/Madrid")
            }
            InitError::Open(error) => error.into(),
            InitError::Relay(error) => {
                let made = Self::from(error).remark("no journal was started");
                made.hint("ebb init    (without a relay; ebb relay add URL adds one later)")
            }
            _ => named("not-started", &error),
        }
    }
}

impl From<JoinError> for CommandError {
    fn from(error: JoinError) -> Self {
        const AGAIN: &str =
            "ask for a new link: ebb device add, or ebb share    (on a device that is in)";
        let family = error.family();
        let named = |kind, error: &JoinError| from(kind, family, error);
        match error {
            JoinError::Link(_) => {
                named("invalid-link", &error).hint("ebb join LINK    (the whole of it, in quotes)")
            }
            JoinError::Wrong { .. } => named("wrong-invite", &error).hint(AGAIN),
            JoinError::Expired => named("expired-invite", &error).hint(AGAIN),
            JoinError::Used => named("used-invite", &error).hint(AGAIN),
            JoinError::Withdrawn => named("withdrawn-invite", &error).hint(AGAIN),
            JoinError::Exists => named("journal-exists", &error).safe().hint("ebb sync"),
            JoinError::Key(_) => named("wrong-key", &error).hint(AGAIN),
            JoinError::Member(MemberError::Relay(error)) => {
                Self::from(error).remark("nothing has changed; the same link still works")
            }
            JoinError::Member(error) => error.into(),
            JoinError::Write(error) => error.into(),
            JoinError::FirstSync(error) => {
                let made = Self::from(error);
                Self {
                    message: format!(
                        "this device has joined, but the first sync failed: {}",
                        made.message
                    ),
                    ..made
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
