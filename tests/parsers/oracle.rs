//! What must hold of every parser for any bytes whatever. The tests of this folder ask it for
//! mutations of good files, the targets of `fuzz/` for what coverage leads to. Each function
//! panics where something does not hold, and answers whether the bytes were accepted.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use chrono::{DateTime, NaiveDate};
use retentiond::ident::{ClassId, Ident, TableName};
use retentiond::ledger::{Entry, Manifest, RecordKey, key, manifest};
use retentiond::schedule::{
    self, Code, Condition, Diagnostics, Disposal, Dispose, Period, Place, Rule, Schedule,
    Timetable, Trigger, publish,
};
use retentiond::settings::{self, Settings, SettingsError};

/// Rendering shows the text once a fault: beyond this product it is left out, as nobody
/// would read it.
const MOST_SHOWN: usize = 2_000_000;
/// Faults of one file whose places are looked at.
const MOST_LOOKED_AT: usize = 200;

/// A schedule file: a schedule, or at least one error; each fault has its place in the file.
pub fn schedule(text: &str) -> bool {
    match schedule::parse(text, "retention.toml") {
        Err(found) => {
            assert!(found.has_errors(), "refused without an error: {found}");
            assert_eq!(found.text, text);
            faults(&found, text);
            false
        }
        Ok(read) => {
            let warnings = read.diagnostics(read.warnings().to_vec());
            assert!(!warnings.has_errors(), "accepted with an error: {warnings}");
            faults(&warnings, text);
            accepted(&read, text);
            true
        }
    }
}

fn faults(found: &Diagnostics, text: &str) {
    assert!(
        found.items.len() <= text.len() + 4,
        "{} faults in {} bytes",
        found.items.len(),
        text.len()
    );
    let scripts = found.json();
    assert_eq!(scripts.len(), found.items.len());
    // Counting lines from the start for each of thousands would take longer than the parser.
    for (item, script) in found.items.iter().zip(&scripts).take(MOST_LOOKED_AT) {
        assert!(!item.message.trim().is_empty());
        assert!(
            item.hint
                .as_ref()
                .is_none_or(|hint| !hint.trim().is_empty())
        );
        assert_eq!(item.severity, item.code.severity());
        assert_eq!(script["code"], item.code.as_str());
        assert_eq!(script["severity"], item.severity.as_str());
        assert_eq!(script["message"], item.message.as_str());
        let place = item.place.as_ref();
        assert!(
            place.is_some() || item.code == Code::Syntax,
            "{item}: without a place"
        );
        for place in place
            .into_iter()
            .chain(item.also.iter().map(|(place, _)| place))
        {
            lies_within(*place, text);
        }
        if let Some(place) = place {
            assert_eq!(script["at"]["line"], place.line);
            assert_eq!(script["at"]["column"], place.column);
        }
    }
    if found.items.len() * (text.len() + 200) <= MOST_SHOWN {
        let plain = found.render(false);
        for item in &found.items {
            assert!(plain.contains(&format!("[{}]", item.code)));
        }
        let hostile = plain.chars().find(|c| c.is_control() && *c != '\n');
        assert!(hostile.is_none(), "{hostile:?} is printed as it is");
        let _ = found.render(true);
    }
}

fn lies_within(place: Place, text: &str) {
    assert!(
        place.start <= place.end && text.get(place.start..place.end).is_some(),
        "{place:?} is no part of {} bytes",
        text.len()
    );
    let before = &text[..place.start];
    assert_eq!(place.line as usize, 1 + before.matches('\n').count());
    let line = before.rsplit('\n').next().unwrap_or_default();
    assert_eq!(
        place.column as usize,
        1 + line.trim_start_matches('\u{feff}').chars().count()
    );
}

fn accepted(read: &Schedule, text: &str) {
    // The same again, and a remark changes nothing but the file.
    let again = schedule::parse(&format!("{text}\n# a remark\n"), "f").expect("it was accepted");
    assert_eq!(again.digest(), read.digest());
    assert_ne!(again.file_digest(), read.file_digest());
    assert!(schedule::changes(read, &again).is_empty());
    let _ = (publish::markdown(read), publish::html(read));
    assert!(!read.classes().is_empty() || !read.processors().is_empty());
    for class in read.classes() {
        assert_eq!(read.class(class.id()), Some(class));
        assert!(ClassId::new(class.id().as_str()).is_some());
        for place in class.places().keys.values() {
            lies_within(*place, text);
        }
        class.claim().into_iter().for_each(fixed_point);
        if let Rule::Dispose(dispose) = class.rule() {
            disposes(dispose, text);
        }
    }
}

fn disposes(dispose: &Dispose, text: &str) {
    if let Trigger::Columns(columns) = &dispose.trigger {
        assert!(!columns.is_empty());
        let conditions = columns.iter().filter_map(|column| column.when.as_ref());
        conditions.for_each(fixed_point);
    }
    for dependant in &dispose.dependants {
        lies_within(dependant.place, text);
        if let Some(relation) = &dependant.relation {
            lies_within(relation.place, text);
            assert!(!relation.columns.is_empty());
            relation.when.iter().for_each(fixed_point);
        }
    }
    for file in &dispose.files {
        lies_within(file.place, text);
    }
    let today = NaiveDate::from_ymd_opt(2026, 11, 25).expect("a day");
    for step in dispose.steps_on(today) {
        if let Disposal::Anonymise(columns) = &step.disposal {
            assert!(!columns.is_empty());
        }
        let _ = (step.cutoff(today), step.last_day(today));
        let _ = (step.cutoff(NaiveDate::MAX), step.last_day(NaiveDate::MAX));
        let _ = (step.cutoff(NaiveDate::MIN), step.last_day(NaiveDate::MIN));
    }
}

/// A condition: refused with a code of its own, or printed as what reads as the same.
pub fn condition(text: &str) -> bool {
    match Condition::parse(text) {
        Err(error) => {
            assert!(error.code().as_str().starts_with("R02"), "{error}");
            assert!(!error.to_string().trim().is_empty());
            if let Some(span) = error.span() {
                assert!(
                    text.get(span.clone()).is_some(),
                    "{span:?} is no part of {} bytes: {error}",
                    text.len()
                );
            }
            false
        }
        Ok(condition) => {
            fixed_point(&condition);
            true
        }
    }
}

fn fixed_point(condition: &Condition) {
    let printed = condition.text();
    let again = Condition::parse(&printed)
        .unwrap_or_else(|error| panic!("{printed} is not accepted again: {error}"));
    assert_eq!(again.text(), printed);
    assert!(&again == condition, "{printed} means something else");
    assert!(again.columns().eq(condition.columns()));
    for sql in [printed, condition.sql("t")] {
        let bare = unquoted(&sql);
        for sign in [";", "--", "/*", "*/", "$", "\\", "\0", "{", "["] {
            assert!(!bare.contains(sign), "{sign} in {sql}");
        }
        let mut depth = 0_i32;
        for sign in bare.chars() {
            depth += i32::from(sign == '(') - i32::from(sign == ')');
            assert!(depth >= 0, "{sql}");
        }
        assert_eq!(depth, 0, "{sql}");
    }
}

/// SQL without what stands in quotes of either kind, which must all end.
fn unquoted(sql: &str) -> String {
    let mut bare = String::new();
    let mut open = None;
    for sign in sql.chars() {
        match open {
            None if sign == '\'' || sign == '"' => open = Some(sign),
            None => bare.push(sign),
            Some(quote) if quote == sign => open = None,
            Some(_) => {}
        }
    }
    assert_eq!(open, None, "{sql}");
    bare
}

/// A schedule with this text as the value of one key.
fn with(key: &str, text: &str) -> String {
    let mut quoted = String::new();
    for character in text.chars() {
        let _ = match character {
            '"' | '\\' => write!(quoted, "\\{character}"),
            c if c.is_control() => write!(quoted, "\\U{:08X}", u32::from(c)),
            c => write!(quoted, "{c}"),
        };
    }
    let value = match key {
        "on" => format!("dependants = [{{ table = \"note\", on = \"{quoted}\" }}]"),
        "anonymise" => format!(
            "stages = [{{ after = \"1 day\", disposal = \"anonymise\", anonymise = {{ \"{quoted}\" = \"null\" }} }}]"
        ),
        key => format!("{key} = \"{quoted}\""),
    };
    format!(
        "[schedule]\norganisation = \"A\"\ntime_zone = \"UTC\"\nevery = \"0 0 2 * * *\"\n[[class]]\nid = \"a\"\ntitle = \"A\"\ntable = \"a\"\nauthority = \"N\"\n\
         trigger = \"b\"\nperiod = \"8 years\"\ndisposal = \"delete\"\n{value}\n"
    )
}

/// The small languages inside the file's texts, and the command line's keys.
pub fn words(text: &str) -> bool {
    for key in ["on", "where", "anonymise", "lawful_basis", "tolerance"] {
        schedule(&with(key, text));
    }
    let mut any = false;
    let day = NaiveDate::from_ymd_opt(2024, 2, 29).expect("a day");
    if let Ok(period) = Period::parse(text) {
        any = true;
        assert!(period.months() > 0 || period.days() > 0);
        let last = period.last_day(day);
        assert!(last.is_none_or(|last| last >= day));
        unquoted(&period.interval_sql());
    }
    if let Ok(timetable) = Timetable::parse(text) {
        any = true;
        let again = Timetable::parse(timetable.canonical()).expect("its own form is read");
        assert_eq!(again.canonical(), timetable.canonical());
        let now = DateTime::from_timestamp(1_790_000_000, 0).expect("an instant");
        let next = timetable.next_after(now, chrono_tz::Europe::London);
        assert!(next.is_none_or(|next| next > now));
        let _ = timetable.starts_on(day);
    }
    if let Ok(table) = text.parse::<TableName>() {
        any = true;
        assert!(!table.name().as_str().is_empty());
        unquoted(&table.quoted());
    }
    if let Ok(name) = Ident::new(text) {
        assert_eq!(name.as_str(), text);
        unquoted(&name.quoted());
    }
    let name = |name| Ident::new(name).expect("a name");
    let column = |text, kind| key::KeyColumn {
        name: name(text),
        kind,
    };
    let columns = key::KeyColumns::new(vec![
        column("a", key::KeyKind::Int),
        column("b", key::KeyKind::Text),
    ])
    .expect("two columns");
    if let Ok(record) = RecordKey::parse(&columns, text) {
        any = true;
        let written = record.to_command_line(&columns);
        assert_eq!(RecordKey::parse(&columns, &written), Ok(record));
    }
    any
}

/// A ledger's entry: refused, or exactly what its value is written as.
pub fn entry(bytes: &[u8]) -> bool {
    match Entry::decode(bytes) {
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
        Ok(entry) => {
            assert_eq!(entry.encode(), bytes, "a second spelling");
            true
        }
    }
}

/// A manifest: refused, or exactly what its records are packed to; every key is in its filter.
pub fn packed(bytes: &[u8]) -> bool {
    let records = match manifest::decode(bytes) {
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return false;
        }
        Ok(records) => records,
    };
    let count = records.header().count;
    assert!(count <= bytes.len() as u64);
    let mut keys = Vec::new();
    let mut whole = true;
    for record in records {
        match record {
            Ok(record) if keys.len() < 100 => keys.push(record.key),
            Ok(_) => {}
            Err(_) => whole = false,
        }
    }
    let seed = [7; 32];
    match Manifest::recompute(bytes, seed) {
        Err(_) => {
            assert!(!whole, "read, and not packed again");
            false
        }
        Ok(manifest) => {
            assert!(whole);
            assert_eq!(manifest.bytes, bytes, "a second spelling");
            assert_eq!(manifest.count, count);
            for key in keys {
                let filter = &manifest.filter;
                assert!(manifest::filter_may_contain(&seed, filter, key.values()));
            }
            true
        }
    }
}

/// A settings file: settings within their bounds, or faults on lines that the file has. No
/// message quotes a value of the file.
pub fn settings_file(bytes: &[u8], path: &Path) -> bool {
    std::fs::write(path, bytes).expect("the file of a test");
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count() + 1;
    let read = Settings::from_files(&[], Some(path), BTreeMap::new().into_iter(), false);
    match read {
        Ok(settings) => {
            assert!(
                settings.throttle().duty_cycle() > 0.0 && settings.throttle().duty_cycle() <= 1.0
            );
            assert!(settings.stores().values().all(|path| path.is_absolute()));
            let _ = format!("{settings:?}");
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            match error {
                SettingsError::Invalid(problems) => {
                    assert!(!problems.is_empty());
                    for problem in problems {
                        let settings::Place::Line(_, line) = problem.place else {
                            panic!("{problem} is on no line");
                        };
                        assert!((1..=lines).contains(&line), "{problem}");
                    }
                }
                SettingsError::Syntax { line, .. } => assert!((1..=lines).contains(&line)),
                SettingsError::Unreadable { .. } => assert!(std::str::from_utf8(bytes).is_err()),
                other => panic!("{other}"),
            }
            false
        }
    }
}
