//! Words without a flag: `6 arms legs`, `walking 20m`, `legs 2`, `3tug 12.1 12.8 14.0`, `caffeine 2`, `fall "in the hall"`.
//!
//! Owns which fields may stand without a flag, and how a line of words is taken apart. What the words mean as values is
//! read by `journal`.

use clap::{Arg, ArgAction, ArgMatches, Command};
use journal::kind::{AREAS, Choice, Field, Kind, SKIPPED, Shape, UNABLE, choose};

use super::Typed;
use super::coded::Coded;
use crate::arguments::line::{begins_with_number, is_number};
use crate::error::{CommandError, Exit, Outcome};

/// The argument that takes the words.
pub(crate) const WORDS: &str = "words";

/// How near a name must be to one of the table to be taken for a slip: changes of one letter.
const SLIP: usize = 2;
/// The shortest name in which a slip is looked for.
const SLIP_LENGTH: usize = 4;

/// Which fields may stand without a flag.
enum Bare {
    /// A level, then areas and words of the note.
    LevelAndWords,
    /// A name of several words, then a quantity.
    Quantity {
        name: &'static str,
        quantity: &'static str,
        shown: &'static str,
    },
    /// Names of fields, each with its value; or a name of one's own with a value.
    Fields {
        name: &'static str,
        value: &'static str,
    },
    /// The name of a test, then its numbers.
    Test,
    /// A coded value, then the note.
    CodedAndNote(&'static str),
    /// An id, then the note.
    IdAndNote(&'static str),
    /// The note.
    Note,
    /// None.
    Nothing,
}

/// Which field takes the numbers of a test; those of others are the value of a test of one's own.
const RESULTS: &[(&str, &str)] = &[
    ("3tug", "laps"),
    ("chair-stand-30s", "stands"),
    ("grip", "grip_kg"),
];

/// The coded value of what has no code of its own.
const OTHER: &str = "other";

fn bare(kind: &str) -> Bare {
    let quantity = |name, quantity, shown| Bare::Quantity {
        name,
        quantity,
        shown,
    };
    match kind {
        "fatigue" => Bare::LevelAndWords,
        "activity" => quantity("what", "minutes", "WHAT [DURATION]"),
        "exercise" => quantity("what", "minutes", "WHAT [DURATION]"),
        "dose" => quantity("medicine", "amount_mg", "MEDICINE [AMOUNT]"),
        "infusion" => quantity("product", "amount_g", "PRODUCT [AMOUNT]"),
        "wearing-off" => quantity("area", "level", "AREA LEVEL"),
        "score" => quantity("instrument", "total", "INSTRUMENT TOTAL"),
        "factor" => Bare::Fields {
            name: "name",
            value: "value",
        },
        "symptom" => Bare::Fields {
            name: "name",
            value: "level",
        },
        "test" => Bare::Test,
        "event" => Bare::CodedAndNote("event"),
        "comment" => Bare::IdAndNote("on"),
        "note" | "question" => Bare::Note,
        _ => Bare::Nothing,
    }
}

/// Adds the argument for words, where a kind takes any.
pub(super) fn with_words(command: Command, kind: &'static Kind) -> Command {
    let words = Arg::new(WORDS)
        .action(ArgAction::Append)
        .num_args(0..)
        .allow_negative_numbers(true);
    let coded = |name: &str| {
        let choices = kind.field(name).and_then(|field| field.shape.choices());
        Coded::of(choices.unwrap_or_default())
    };
    let words = match bare(kind.name) {
        Bare::LevelAndWords => words
            .value_name("[LEVEL] [AREA|WORDS]")
            .help("The level, areas, and words of a note"),
        Bare::Quantity { shown, name, .. } => words
            .value_name(shown)
            .help("What, and how much")
            .value_parser(coded(name)),
        Bare::Fields { .. } => {
            let names = kind.fields.iter().filter(|field| is_nameable(field));
            words
                .value_name("NAME VALUE")
                .help("What, and how much; or a name of your own with a value")
                .value_parser(Coded::words(names.map(|field| field.flag).collect()))
        }
        Bare::Test => words
            .value_name("TEST NUMBER...")
            .help("Which test, and its result")
            .value_parser(coded("test")),
        Bare::CodedAndNote(name) => words
            .value_name("WHAT [TEXT]")
            .help("What happened, and more about it")
            .value_parser(coded(name)),
        Bare::IdAndNote(_) => words
            .value_name("ID TEXT")
            .help("The entry, and the comment; `-` reads it from stdin"),
        Bare::Note => words
            .value_name("TEXT")
            .help("The text; `-` reads it from stdin"),
        Bare::Nothing => return command,
    };
    command.arg(words)
}

/// Tells whether a field can be named by a word, with its value behind it.
fn is_nameable(field: &Field) -> bool {
    !matches!(field.shape, Shape::Text { .. } | Shape::Instant)
        && !["value", "level"].contains(&field.name)
}

fn is_state(word: &str) -> bool {
    [SKIPPED, UNABLE].contains(&word.to_lowercase().as_str())
}

impl Typed {
    /// Takes the words of a line that logs an entry of `kind`.
    ///
    /// # Errors
    /// [`CommandError`] if they say a field twice, or mean nothing.
    pub(super) fn take_words(&mut self, kind: &'static Kind, matches: &ArgMatches) -> Outcome<()> {
        let words = matches.try_get_many::<String>(WORDS).ok().flatten();
        let words: Vec<String> = words.into_iter().flatten().cloned().collect();
        if words.is_empty() {
            return Ok(());
        }
        match bare(kind.name) {
            Bare::LevelAndWords => self.take_level_and_words(words),
            Bare::Quantity { name, quantity, .. } => self.take_quantity(words, name, quantity),
            Bare::Fields { name, value } => self.take_fields(kind, &words, name, value),
            Bare::Test => self.take_test(kind, &words),
            Bare::CodedAndNote(name) => self.take_coded_and_note(kind, &words, name),
            Bare::IdAndNote(name) => {
                let (id, note) = words.split_first().unzip();
                self.put(name, id.cloned().unwrap_or_default())?;
                self.put_note(note.unwrap_or_default())
            }
            Bare::Note => self.put_note(&words),
            Bare::Nothing => Ok(()),
        }
    }

    /// Makes words the note, if there are any.
    fn put_note(&mut self, words: &[String]) -> Outcome<()> {
        if words.is_empty() {
            Ok(())
        } else {
            self.put("note", words.join(" "))
        }
    }

    /// Takes `6 arms legs "after the stairs"`.
    fn take_level_and_words(&mut self, words: Vec<String>) -> Outcome<()> {
        let mut words = words.into_iter().peekable();
        if let Some(level) =
            words.next_if(|word| is_number(word) || matches!(word.as_str(), "skipped" | "unable"))
        {
            self.put("level", level)?;
        }
        let (areas, note) = areas_and_note(&words.collect::<Vec<_>>());
        if !areas.is_empty() {
            let areas = areas.join(",");
            match self.fields.iter_mut().find(|(name, _)| *name == "areas") {
                Some((_, given)) => *given = format!("{given},{areas}"),
                None => self.fields.push(("areas", areas)),
            }
        }
        if note.is_empty() {
            Ok(())
        } else {
            self.put("note", note)
        }
    }

    /// Takes `walking 20m`: a name of any number of words, and a quantity that begins with a digit, or `unable`; a quoted
    /// text behind them is the note.
    fn take_quantity(
        &mut self,
        mut words: Vec<String>,
        name: &'static str,
        quantity: &'static str,
    ) -> Outcome<()> {
        let mut before = words.iter().rev().skip(1).take(2);
        let is_quoted = words.last().is_some_and(|word| word.contains(' '));
        if is_quoted && before.any(|word| begins_with_number(word) || is_state(word)) {
            let note = words.pop().unwrap_or_default();
            self.put("note", note)?;
        }
        let state = words.pop_if(|word| is_state(word));
        match state.map(|state| state.to_lowercase()) {
            Some(state) if words.is_empty() => words.push(state),
            // A skipped dose was not taken; its amount may be told all the same.
            Some(state) if quantity == "amount_mg" && state == SKIPPED => {
                self.put("taken", state)?
            }
            Some(state) => self.put(quantity, state)?,
            None => {}
        }
        let amount = words.split_off(quantity_start(&words)).join(" ");
        if !words.is_empty() {
            self.put(name, words.join(" "))?;
        }
        if amount.is_empty() {
            Ok(())
        } else {
            self.put(quantity, amount)
        }
    }

    /// Takes `caffeine 2 stress 6`, `breathing lying-flat`, `fever`; or `weather 6`, a name of one's own.
    fn take_fields(
        &mut self,
        kind: &'static Kind,
        words: &[String],
        name: &'static str,
        value: &'static str,
    ) -> Outcome<()> {
        let mut rest = words;
        if named(kind, words).is_none() {
            match words
                .iter()
                .position(|word| is_value(word))
                .filter(|place| *place > 0)
            {
                Some(place) => {
                    let (called, from) = words.split_at(place);
                    let called = called.join(" ");
                    let (said, after) = from.split_first().unzip();
                    let said = said.cloned().unwrap_or_default();
                    refuse_slip(kind, &called, &said, (name, value))?;
                    self.put(name, called)?;
                    self.put(value, said)?;
                    rest = after.unwrap_or_default();
                }
                None if kind.fields.iter().any(|field| self.has(field.name)) => {}
                None => {
                    let called = words.join(" ");
                    refuse_slip(kind, &called, "VALUE", (name, value))?;
                    return self.put(name, called);
                }
            }
        }
        while let Some((field, length)) = named(kind, rest) {
            let (said, after) = answer(field, rest.get(length..).unwrap_or_default());
            let said = said.ok_or_else(|| {
                let example = format!("ebb {} {} {}", kind.name, field.flag, sample(&field.shape));
                CommandError::usage(format!("how much is missing after \"{}\"", field.flag))
                    .hint(example)
            })?;
            self.put(field.name, said)?;
            rest = after;
        }
        self.put_note(rest)
    }

    /// Takes `3tug 12.1 12.8 14.0`, `chair-stand 11`, `grip 23kg`, or `stairs 42s`, a test of one's own.
    fn take_test(&mut self, kind: &'static Kind, words: &[String]) -> Outcome<()> {
        let is_result = |word: &String| begins_with_number(word) || is_state(word);
        // The first word is a name, also where it begins with a digit.
        let results = words
            .iter()
            .skip(1)
            .position(is_result)
            .map_or(words.len(), |place| place + 1);
        let (name, results) = words.split_at(results);
        let count = results
            .iter()
            .position(|word| !is_result(word))
            .unwrap_or(results.len());
        let (results, mut rest) = results.split_at(count);
        let name = name.join(" ");
        let choices = kind.field("test").and_then(|field| field.shape.choices());
        let coded = choices
            .and_then(|choices| choose(choices, &name))
            .map_or(OTHER, |test| test.value);
        self.put("test", coded.to_owned())?;
        if let Some((_, field)) = RESULTS.iter().find(|(test, _)| *test == coded) {
            if !results.is_empty() {
                self.put(field, results.join(","))?;
            }
            return self.put_note(rest);
        }
        self.put("name", name)?;
        if let [result, ..] = results {
            let unit = result.find(|c: char| c.is_alphabetic() || c == '°' || c == '%');
            let (number, mut unit) = match unit.filter(|_| !is_state(result)) {
                Some(unit) => result.split_at(unit),
                None => (result.as_str(), ""),
            };
            if let (true, [next, after @ ..]) = (unit.is_empty(), rest)
                && !next.contains(' ')
            {
                (unit, rest) = (next, after);
            }
            self.put("value", number.trim().to_owned())?;
            if !unit.is_empty() {
                self.put("unit", unit.to_owned())?;
            }
        }
        self.put_note(rest)
    }

    /// Takes `fall "in the kitchen"`; words that begin with no coded value are the note of what has none.
    fn take_coded_and_note(
        &mut self,
        kind: &'static Kind,
        words: &[String],
        name: &'static str,
    ) -> Outcome<()> {
        if self.has(name) {
            return self.put_note(words);
        }
        let choices = kind.field(name).and_then(|field| field.shape.choices());
        let choices: &'static [Choice] = choices.unwrap_or_default();
        let coded = (1..=words.len().min(2)).rev().find_map(|length| {
            let choice = choose(choices, &words.get(..length)?.join(" "))?;
            Some((choice.value, length))
        });
        let (coded, length) = coded.unwrap_or((OTHER, 0));
        self.put(name, coded.to_owned())?;
        self.put_note(words.get(length..).unwrap_or_default())
    }
}

/// Returns where the quantity at the end of the words begins: `20m`, `20 min`, `1h 30m`.
fn quantity_start(words: &[String]) -> usize {
    let is_unit = |word: &str| word.len() <= 7 && word.chars().all(|c| c.is_ascii_alphabetic());
    let mut start = words.len();
    while let Some(word) = start.checked_sub(1).and_then(|last| words.get(last)) {
        let before = start.checked_sub(2).and_then(|place| words.get(place));
        if begins_with_number(word) {
            start -= 1;
        } else if is_unit(word)
            && start == words.len()
            && before.is_some_and(|word| begins_with_number(word))
        {
            start -= 2;
        } else {
            break;
        }
    }
    start
}

/// Refuses a name of one's own that is likelier a slip in one of the table's. `flags` are those of a name and value of
/// one's own.
fn refuse_slip(
    kind: &'static Kind,
    called: &str,
    value: &str,
    (name, flag): (&str, &str),
) -> Outcome<()> {
    let typed = called.to_lowercase().replace(' ', "-");
    let near = |known: &str| strsim::damerau_levenshtein(&typed, known) <= SLIP;
    let is_near =
        |field: &&Field| near(field.flag) || field.synonyms.iter().any(|known| near(known));
    let mut fields = kind.fields.iter().filter(|field| is_nameable(field));
    let Some(field) = fields
        .find(is_near)
        .filter(|_| typed.chars().count() >= SLIP_LENGTH)
    else {
        return Ok(());
    };
    let message = format!(
        "there is no {} \"{called}\"; is it {}?",
        kind.name, field.flag
    );
    let own = format!("ebb {} --{name} \"{called}\" --{flag} {value}", kind.name);
    Err(CommandError::new("unknown-field", Exit::Usage, message)
        .hint(format!("ebb {} {} {value}", kind.name, field.flag))
        .hint(format!("{own}    (if it is a name of your own)")))
}

/// Tells whether a word can be the value of a factor or symptom of one's own.
fn is_value(word: &str) -> bool {
    let word = word.to_lowercase();
    begins_with_number(&word) || is_state(&word) || ["yes", "no", "y", "n"].contains(&word.as_str())
}

/// Finds the field that the first words name, the most words first, and how many they are.
fn named(kind: &'static Kind, words: &[String]) -> Option<(&'static Field, usize)> {
    (1..=words.len().min(4)).rev().find_map(|length| {
        let name = words.get(..length)?.join(" ");
        let field = kind
            .fields
            .iter()
            .find(|field| is_nameable(field) && field.is_called(&name))?;
        Some((field, length))
    })
}

/// Takes the answer to a field from the words behind its name; a name alone says yes, where that is an answer.
fn answer<'a>(field: &'static Field, words: &'a [String]) -> (Option<String>, &'a [String]) {
    let first = words.first();
    if let Shape::Each { parts, .. } = field.shape {
        let is_part = |word: &String| {
            let part = word.split('=').next().unwrap_or_default();
            word.split(',')
                .all(|part| choose(parts, part.split('=').next().unwrap_or_default()).is_some())
                || choose(parts, part).is_some()
                || is_state(word)
        };
        // A part of two words, such as `lying flat`, is one answer.
        let two = words
            .get(..2)
            .map(|two| two.join(" "))
            .filter(|two| choose(parts, two).is_some());
        if let Some(two) = two {
            return (Some(two), words.get(2..).unwrap_or_default());
        }
        let count = words
            .iter()
            .position(|word| !is_part(word))
            .unwrap_or(words.len());
        // A word that is none of the parts is refused by name when it is read.
        let count = count.max(usize::from(!words.is_empty()));
        let (said, rest) = words.split_at(count);
        return ((!said.is_empty()).then(|| said.join(",")), rest);
    }
    let is_answer = |word: &String| {
        let coded = field
            .shape
            .choices()
            .is_some_and(|choices| choose(choices, word).is_some());
        coded
            || is_state(word)
            || (begins_with_number(word) && !matches!(field.shape, Shape::Choice(_)))
    };
    match first.filter(|word| !field.shape.takes_yes() || is_answer(word)) {
        Some(word) => {
            // `31 °C`: the unit may be a word of its own.
            let unit = words.get(1).filter(|unit| is_number(word) && is_unit(unit));
            let length = 1 + usize::from(unit.is_some());
            let said = words.get(..length).unwrap_or_default().join(" ");
            (Some(said), words.get(length..).unwrap_or_default())
        }
        None if field.shape.takes_yes() => (Some("yes".to_owned()), words),
        None => (None, words),
    }
}

/// Tells whether a word is a unit of temperature or time.
fn is_unit(word: &str) -> bool {
    ["c", "°c", "f", "°f", "min", "m", "h"].contains(&word.to_lowercase().as_str())
}

/// Returns an answer of the shape, for examples.
fn sample(shape: &Shape) -> &'static str {
    match shape {
        Shape::Minutes { .. } => "45m",
        Shape::Each { .. } => "lying-flat",
        _ => "2",
    }
}

/// Splits words into areas, and the text of a note. Once a word is none of the areas, the words after it are the text,
/// also those that name an area.
fn areas_and_note(words: &[String]) -> (Vec<&'static str>, String) {
    let area = |word: &String| choose(AREAS, word.trim_end_matches(',')).map(|area| area.value);
    let (mut areas, mut note) = (Vec::new(), Vec::new());
    let mut in_text = false;
    for (place, word) in words.iter().enumerate() {
        let joins = matches!(word.as_str(), "and" | "&" | ",")
            && words
                .get(place + 1)
                .is_some_and(|next| area(next).is_some());
        match area(word) {
            Some(area) => {
                if !areas.contains(&area) {
                    areas.push(area);
                }
                if in_text {
                    note.push(word.as_str());
                }
            }
            None if joins && !areas.is_empty() && !in_text => {}
            None => {
                // Quoted words are a text of their own; a single word begins a sentence.
                in_text |= !word.contains(' ');
                note.push(word.as_str());
            }
        }
    }
    (areas, note.join(" "))
}
