//! The walk over the file's tables, which collects every fault.
//!
//! The spanned tree of the `toml` crate is walked by hand: serde stops at the first
//! error, and loses spans under flattened and untagged types. Each reader returns
//! `None` after it has reported why, so that one fault is told once.

mod class;
mod dependants;
mod keys;
mod limits;
mod parts;
mod placeholder;
mod processor;
mod stages;
mod timing;

use std::ops::Range;

use chrono_tz::Tz;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostics::{Code, Diagnostic, Diagnostics, Lines, Place};
use super::limits::Accept;
use super::period::Period;
use super::punctual::{Lateness, lateness, term_lateness};
use super::timetable::Timetable;
use super::{Schedule, Severity, digest, zone};
use crate::ident::ClassId;
use keys::Keys;

/// Reads the whole file.
pub(super) fn schedule(text: &str, file: &str) -> Result<Schedule, Diagnostics> {
    let mut reader = Reader {
        text,
        lines: Lines::new(text),
        items: Vec::new(),
    };
    let schedule = reader.file(file);
    let failed = reader
        .items
        .iter()
        .any(|item| item.severity == Severity::Error);
    let found = Diagnostics::new(file, text, reader.items);
    match schedule {
        Some(mut schedule) if !failed => {
            schedule.warnings = found.items;
            Ok(schedule)
        }
        _ => Err(found),
    }
}

/// Every key that is read, with the table that it belongs to, as a person would call it.
#[must_use]
pub fn known_keys() -> Vec<(&'static str, &'static str)> {
    keys::ALL
        .iter()
        .flat_map(|(_, keys)| keys.known.iter().map(|key| (keys.name, *key)))
        .collect()
}

/// Which keys each table of the file knows, and which are for a later version: the table's
/// name, those, and these.
pub(super) fn key_tables() -> impl Iterator<
    Item = (
        &'static str,
        &'static [&'static str],
        &'static [&'static str],
    ),
> {
    keys::ALL
        .iter()
        .map(|(table, keys)| (*table, keys.known, keys.later))
}

/// What a class whose data a processor holds has no use for.
pub(super) fn not_with_processor() -> impl Iterator<Item = &'static str> {
    processor::not_with_processor()
}

/// What a class that retains has no use for.
pub(super) fn not_with_retain() -> &'static [&'static str] {
    &class::NOT_WITH_RETAIN
}

type Value<'i> = Spanned<DeValue<'i>>;

/// The text, and the faults found so far.
struct Reader<'t> {
    text: &'t str,
    lines: Lines<'t>,
    items: Vec<Diagnostic>,
}

/// A table with its name and place, whose keys have been checked.
#[derive(Clone, Copy)]
struct Fields<'a, 'i> {
    table: &'a DeTable<'i>,
    keys: &'static Keys,
    /// Where a missing key is reported.
    place: Place,
}

impl<'a, 'i> Fields<'a, 'i> {
    fn get(&self, key: &str) -> Option<&'a Value<'i>> {
        self.table
            .iter()
            .find(|(name, _)| name.get_ref() == key)
            .map(|(_, value)| value)
    }
}

/// What `[schedule]` says: whose it is, the zone, the timetable, how versions are accepted, and how
/// long details are kept and appeals take.
type Head = (
    String,
    Tz,
    Timetable,
    Accept,
    (Option<Period>, Option<Period>),
);

impl Reader<'_> {
    fn place(&self, span: Range<usize>) -> Place {
        self.lines.place(span)
    }

    fn place_of<T>(&self, spanned: &Spanned<T>) -> Place {
        self.place(spanned.span())
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.items.push(diagnostic);
    }

    fn file(&mut self, file: &str) -> Option<Schedule> {
        let (document, errors) = DeTable::parse_recoverable(self.text);
        if !errors.is_empty() {
            for error in errors {
                let place = error
                    .span()
                    .map(|span| self.place(span))
                    .unwrap_or_default();
                let message = format!("the file is not TOML: {}", error.message());
                self.report(Diagnostic::new(Code::Syntax, message).at(place));
            }
            return None;
        }
        let end = self.text.trim_end().len();
        let fields = self.fields(document.get_ref(), &keys::FILE, self.place(end..end));
        let settings = self.schedule_section(&fields);
        let classes = self.class_section(&fields);
        let table = fields
            .get("schedule")
            .and_then(|value| value.get_ref().as_table());
        let places = table.map_or_else(Default::default, |table| {
            let keys = table.iter();
            keys.map(|(key, value)| (key.get_ref().to_string(), self.place_of(value)))
                .collect()
        });
        let (
            (organisation, time_zone, every, accept, (details_kept, appeal_window)),
            (classes, processors),
        ) = (settings?, classes?);
        let written = table
            .and_then(|table| table.get("every"))
            .map(|value| self.place_of(value))
            .unwrap_or_default();
        for class in &classes {
            let timetable = class.every().unwrap_or(&every);
            let written = match class.every() {
                Some(_) => *class.place("every"),
                None => written,
            };
            let late = class
                .dispose()
                .and_then(|dispose| lateness(dispose, timetable));
            self.punctual(
                class.id(),
                late,
                *class.place("limit"),
                (timetable, written),
                class.every().is_some(),
            );
        }
        for class in &processors {
            let late = class.term().and_then(|term| term_lateness(term, &every));
            let limit = *class.place("limit");
            self.punctual(class.id(), late, limit, (&every, written), false);
        }
        Some(Schedule {
            digest: digest::of_schedule(
                &organisation,
                time_zone,
                &every,
                accept,
                (details_kept, appeal_window),
                &classes,
                &processors,
            ),
            file_digest: digest::of_text(self.text),
            organisation,
            time_zone,
            every,
            accept,
            details_kept,
            appeal_window,
            classes,
            processors,
            file: file.to_owned(),
            text: self.text.to_owned(),
            warnings: Vec::new(),
            places,
        })
    }

    /// Whether the timetable can keep a maximum.
    fn punctual(
        &mut self,
        class: &ClassId,
        late: Option<Lateness>,
        limit: Place,
        (every, written): (&Timetable, Place),
        own: bool,
    ) {
        let Some(late) = late else {
            return;
        };
        let day = |date: chrono::NaiveDate| date.format("%-d %B %Y").to_string();
        let days = match late.days {
            1 => "a day".to_owned(),
            n => format!("{n} days"),
        };
        self.report(
            Diagnostic::new(
                Code::TimetableTooSparse,
                format!(
                    "class `{class}`: the timetable cannot keep this maximum: a record whose last day is {} goes on {}, {days} late",
                    day(late.last_day),
                    day(late.goes_on),
                ),
            )
            .hint(format!(
                "run the {} every day, `every = \"{}\"`, or shorten the period by {days}",
                if own { "class" } else { "schedule" },
                every.daily()
            ))
            .at(limit)
            .also(written, "the timetable"),
        );
    }

    /// Takes a table, and reports every key that it should not have.
    fn fields<'a, 'i>(
        &mut self,
        table: &'a DeTable<'i>,
        keys: &'static Keys,
        place: Place,
    ) -> Fields<'a, 'i> {
        for (key, _) in table {
            let name: &str = key.get_ref();
            let place = self.place_of(key);
            if keys.known.contains(&name) {
                continue;
            }
            if keys.later.contains(&name) {
                self.not_yet(&format!("`{name}` in {}", keys.name), place);
                continue;
            }
            let mut diagnostic = Diagnostic::new(
                Code::UnknownKey,
                format!("`{name}` is not a key of {}", keys.name),
            )
            .at(place);
            let all = keys.known.iter().chain(keys.later).copied();
            diagnostic = match keys::nearest(name, all) {
                Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
                None => diagnostic.hint(format!("its keys are {}", keys.known.join(", "))),
            };
            self.report(diagnostic);
        }
        Fields { table, keys, place }
    }

    fn not_yet(&mut self, what: &str, place: Place) {
        self.report(
            Diagnostic::new(
                Code::NotYetSupported,
                format!("{what} is not yet supported by this version"),
            )
            .hint("comment it out with `#`; it is refused because ignoring it would not do what the schedule says")
            .at(place),
        );
    }

    fn schedule_section(&mut self, file: &Fields<'_, '_>) -> Option<Head> {
        let Some(value) = file.get("schedule") else {
            self.report(
                Diagnostic::new(Code::MissingKey, "the file has no [schedule]")
                    .hint("it needs [schedule] with organisation, time_zone and every")
                    .at(self.place(0..0)),
            );
            return None;
        };
        let table = self.table(value, "schedule")?;
        let fields = self.fields(table, &keys::SCHEDULE, self.place_of(value));
        self.placeholders(&fields, "[schedule]");
        let organisation = self.required_text(&fields, "organisation");
        let time_zone = self
            .required_text(&fields, "time_zone")
            .and_then(|(text, place)| self.time_zone(&text, place));
        let every = self
            .required_text(&fields, "every")
            .and_then(|(text, place)| self.timetable(&text, place));
        let accept = match fields.get("accept") {
            Some(value) => self.word(value, "accept", &Accept::ALL.map(|a| (a.name(), a))),
            None => Some(Accept::ByHand),
        };
        let mut period = |key| match fields.get(key) {
            Some(value) => self.period(value, key).map(Some),
            None => Some(None),
        };
        let periods = (period("details_kept"), period("appeal_window"));
        let periods = (periods.0?, periods.1?);
        Some((organisation?.0, time_zone?, every?, accept?, periods))
    }

    /// When passes start: of the schedule, or of one class.
    pub(super) fn timetable(&mut self, text: &str, place: Place) -> Option<Timetable> {
        match Timetable::parse(text) {
            Ok(timetable) => Some(timetable),
            Err(error) => {
                self.report(
                    Diagnostic::new(Code::BadTimetable, error.to_string())
                        .hint(error.hint())
                        .at(place),
                );
                None
            }
        }
    }

    fn time_zone(&mut self, text: &str, place: Place) -> Option<Tz> {
        let Ok(zone) = text.parse::<Tz>() else {
            let names = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
            let near = names
                .map(|name| {
                    (
                        strsim::damerau_levenshtein(&text.to_lowercase(), &name.to_lowercase()),
                        name,
                    )
                })
                .min_by_key(|(distance, _)| *distance)
                .filter(|(distance, _)| *distance <= (text.chars().count() / 4).min(3));
            let hint = match near {
                Some((_, name)) => format!("did you mean `{name}`?"),
                None => {
                    "write a name of the IANA time zone database, such as Europe/London".to_owned()
                }
            };
            self.report(
                Diagnostic::new(Code::BadTimeZone, format!("there is no time zone `{text}`"))
                    .hint(hint)
                    .at(place),
            );
            return None;
        };
        if let Some(date) = zone::goes_back(zone) {
            self.report(
                Diagnostic::new(
                    Code::ZoneGoesBack,
                    format!(
                        "in {} the calendar went back to the day before on {date}",
                        zone.name()
                    ),
                )
                .hint("choose a zone in which every date comes once")
                .at(place),
            );
            return None;
        }
        Some(zone)
    }

    fn missing(&mut self, fields: &Fields<'_, '_>, key: &str) {
        self.missing_from(fields, fields.keys.name, key);
    }

    /// Not where the key was merely misspelt, which is a fault of its own.
    fn missing_from(&mut self, fields: &Fields<'_, '_>, who: &str, key: &str) {
        let misspelt = fields.table.iter().any(|(name, _)| {
            let name: &str = name.get_ref();
            !fields.keys.known.contains(&name)
                && keys::nearest(name, fields.keys.known.iter().copied()) == Some(key)
        });
        if !misspelt {
            let message = format!("{who} needs `{key}`");
            self.report(Diagnostic::new(Code::MissingKey, message).at(fields.place));
        }
    }

    fn wrong_type(&mut self, key: &str, wanted: &str, value: &Value<'_>) {
        let place = self.place_of(value);
        let found = match value.get_ref() {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.report(
            Diagnostic::new(
                Code::WrongType,
                format!("`{key}` must be {wanted}, not {found}"),
            )
            .at(place),
        );
    }

    fn table<'a, 'i>(&mut self, value: &'a Value<'i>, key: &str) -> Option<&'a DeTable<'i>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(key, "a table", value);
        }
        table
    }

    /// A text that says something, trimmed, with its place.
    fn text_value(&mut self, value: &Value<'_>, key: &str) -> Option<(String, Place)> {
        let place = self.place_of(value);
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(key, "a text in quotes", value);
            return None;
        };
        if text.trim().is_empty() {
            self.report(
                Diagnostic::new(Code::BlankText, format!("`{key}` must not be blank")).at(place),
            );
            return None;
        }
        Some((text.trim().to_owned(), place))
    }

    fn required_text(&mut self, fields: &Fields<'_, '_>, key: &str) -> Option<(String, Place)> {
        match fields.get(key) {
            Some(value) => self.text_value(value, key),
            None => {
                self.missing(fields, key);
                None
            }
        }
    }

    /// `Some(None)` where it is not written, `None` where it is wrong.
    #[expect(clippy::option_option, reason = "absent and wrong are different")]
    fn optional_text(&mut self, fields: &Fields<'_, '_>, key: &str) -> Option<Option<String>> {
        match fields.get(key) {
            Some(value) => self.text_value(value, key).map(|(text, _)| Some(text)),
            None => Some(None),
        }
    }

    /// One of a few words.
    fn word<T: Copy>(
        &mut self,
        value: &Value<'_>,
        key: &str,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let (text, place) = self.text_value(value, key)?;
        if let Some((_, meant)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*meant);
        }
        let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let hint = match keys::nearest(&text, all.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it is one of {}", all.join(", ")),
        };
        self.report(
            Diagnostic::new(Code::UnknownWord, format!("`{key}` cannot be `{text}`"))
                .hint(hint)
                .at(place),
        );
        None
    }
}
