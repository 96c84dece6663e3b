//! What each key means and which values it takes. **A key that the reader comes to know
//! gets its line here**, or a test fails.

use serde_json::{Value, json};

use super::{class, object};
use crate::schedule::class::{Erasure, Fate, Gate, Limit, Strategy};
use crate::schedule::limits::Accept;
use crate::schedule::rounding::EndOf;

/// A key's description, for the pop-up of an editor, and the shape of its values.
pub(super) fn property(table: &str, key: &str) -> Option<(&'static str, Value)> {
    Some(match (table, key) {
        ("file", "schedule") => (
            "Whose schedule it is, and when it is enforced.",
            object("schedule", &["organisation", "time_zone", "every"]),
        ),
        ("file", "class") => (
            "The record classes: one [[class]] for each kind of record.",
            json!({ "type": "array", "minItems": 1, "items": class() }),
        ),

        ("schedule", "organisation") => ("Whose records these are.", text()),
        ("schedule", "time_zone") => (
            "The zone in which days begin and end, by its name in the IANA database, such as Europe/London.",
            text(),
        ),
        ("schedule", "every") => (
            "When passes start: second, minute, hour, day of month, month, day of week, in the schedule's zone. \"0 0 2 * * *\" is 02:00 every day.",
            timetable(),
        ),

        ("schedule", "accept") => (
            "\"by hand\" (also if left out): a changed version waits until somebody accepts it, and the accepted one stays in force. \"automatic\": it is in force at once.",
            words(Accept::ALL.map(Accept::name)),
        ),

        ("schedule", "details_kept") => (
            "How long the ledger keeps which records its entries are about, such as \"6 years\". For ever if left out; the entries themselves always are.",
            period(),
        ),

        ("schedule", "appeal_window") => (
            "How long whoever asked for information may appeal: a hold for such a request keeps its records so long, released or not. \"3 months\" if left out.",
            period(),
        ),

        ("class", "id") => (
            "A short name that never changes: lower-case letters, digits and single hyphens. Commands, approvals and the ledger use it.",
            json!({
                "type": "string", "pattern": "^[a-z][a-z0-9]*(-[a-z0-9]+)*$", "maxLength": 60,
                "not": { "enum": ["list", "withdraw"] },
            }),
        ),
        ("class", "title") => ("What people call these records.", text()),
        ("class", "table") => (
            "The database table that holds the records: a name, or schema.name, as PostgreSQL stores it.",
            table_name(),
        ),
        ("class", "processor") => (
            "Who holds the data for the organisation, instead of `table`: when it ends, an instruction to destroy it is issued.",
            text(),
        ),
        ("class", "where") => (
            "Which rows of the table belong to the class: one SQL expression over the row's own columns. Left out: every row.",
            text(),
        ),
        ("class", "trigger") => (
            "What the period is counted from: a date column; one of a row that it refers to, as in \"matter.closed_on\"; a list of which the first that applies counts; or one date, without quotes, for every record.",
            json!({ "anyOf": [text(), { "type": "array", "minItems": 1, "items": { "anyOf": [text(), object("trigger", &["column"])] } }] }),
        ),
        ("class", "plausible_from") => (
            "Triggers before this day are taken for placeholders, and nothing is due by them. 1990-01-01 if left out.",
            date(),
        ),
        ("class", "trigger_zone") => (
            "The zone in which trigger timestamps without a time zone are read, such as UTC. The schedule's if left out.",
            text(),
        ),
        ("class", "from_end_of") => (
            "The trigger is first moved to the end of this, and the period counted from there. The financial year ends on 31 March.",
            words(EndOf::ALL.map(EndOf::name)),
        ),
        ("class", "period") => (
            "How long a record is kept: whole years, months, weeks and days, or a sum of them, such as \"1 year 6 months\" or \"P1Y6M\".",
            period(),
        ),
        ("class", "tolerance") => (
            "How many days a record may be past before it is reported as overdue, such as \"30 days\". None if left out; a maximum has none.",
            days(),
        ),
        ("class", "unless_active") => (
            "Date columns that show when somebody last worked with the record: one that lies after the trigger keeps it, and it is shown.",
            json!({ "type": "array", "minItems": 1, "uniqueItems": true, "items": text() }),
        ),
        ("class", "or_when") => (
            "While this condition is TRUE of a record, it is due at once, also without a trigger: such as \"consent_withdrawn_at IS NOT NULL\".",
            text(),
        ),
        ("class", "disposal") => (
            "What happens at the end: \"flag\" lists the record, \"anonymise\" overwrites columns, \"delete\" deletes the row; \"retain\" keeps it and protects it from every other class.",
            words(["flag", "anonymise", "delete", "retain"]),
        ),
        ("class" | "stage", "anonymise") => (
            "What is written to each column instead. A path into a JSON column stands in quotes, and can only be removed: \"answers.phone\" = \"remove\".",
            columns(),
        ),
        ("class", "stages") => (
            "What is done to a record before its own disposal, each after a shorter period from the same trigger.",
            json!({ "type": "array", "minItems": 1, "items": object("stage", &["after", "disposal"]) }),
        ),
        ("class", "notice") => (
            "How many days before it goes a record is flagged, such as \"30 days\".",
            days(),
        ),
        ("class", "limit") => (
            "\"minimum\" (also if left out): kept at least so long, due on the day after. \"maximum\": at most so long, due on the last day; late is a breach.",
            words(Limit::ALL.map(Limit::name)),
        ),
        ("class", "gate") => (
            "What a due record waits for: \"none\" (also if left out), a person's \"review\" of each, or the controller's \"instruction\" for the class.",
            words(Gate::ALL.map(Gate::name)),
        ),
        ("class", "approvals") => (
            "With gate = \"review\": how many different people have to approve a record. 1 if left out.",
            json!({ "type": "integer", "minimum": 1, "maximum": 9 }),
        ),
        ("class", "preview") => (
            "Columns of the record that whoever reviews it is shown, in this order. They appear in no log and not in the ledger.",
            json!({ "type": "array", "minItems": 1, "uniqueItems": true, "items": text() }),
        ),
        ("class", "subject") => (
            "The column that names whom a record is about: a hold on that person protects it.",
            text(),
        ),
        ("class", "dependants") => (
            "Tables whose rows go with the record, or are unlinked from it. Every table that refers to it must be named.",
            json!({ "type": "array", "minItems": 1, "items": { "anyOf": [table_name(), object("dependant", &["table"])] } }),
        ),
        ("class", "files") => (
            "Columns that name files which go with the row.",
            json!({ "type": "array", "minItems": 1, "items": object("file column", &["column", "store"]) }),
        ),
        ("class", "erasure") => (
            "\"ordinary\" (also if left out): PostgreSQL reuses the place of what went in its own time. \"secure\": the table's files are rewritten without it, and the ledger says so.",
            words(Erasure::ALL.map(Erasure::name)),
        ),
        ("class", "erasure_right") => (
            "false: a statute orders the records kept, and no person's request for erasure brings them forward. Left out, a request does.",
            json!({ "type": "boolean" }),
        ),
        ("class", "every") => (
            "When passes over this class start, in place of the schedule's timetable and written as that is. \"0 0 * * * *\" is every hour.",
            timetable(),
        ),
        ("class", "authority") => ("The document that orders it.", text()),
        ("class", "lawful_basis") => ("Why the data may be held at all.", text()),
        ("class", "owner") => (
            "Who answers for the records; a class that retains must say so.",
            text(),
        ),
        ("class", "reason") => (
            "Why the records are kept; a class that retains must say so.",
            text(),
        ),
        ("class", "review_on") => (
            "When somebody is to ask again whether a class that retains must still do so. Warns from that day on.",
            date(),
        ),

        ("stage", "after") => (
            "How long after the trigger: a period, shorter than the next stage's.",
            period(),
        ),
        ("stage", "disposal") => (
            "What is done then: \"flag\" or \"anonymise\".",
            words(["flag", "anonymise"]),
        ),

        ("class", "max_rows") => (
            "The most records that may go in one pass. Over it the class does nothing until somebody accepts the plan.",
            json!({ "type": "integer", "minimum": 1 }),
        ),
        ("class", "max_share") => (
            "The largest share of the table that may go within seven days, such as 0.1. 0.25 if left out; never under 100 records.",
            json!({ "type": "number", "exclusiveMinimum": 0, "maximum": 1 }),
        ),
        ("class", "max_growth") => (
            "The most times as many records as in the last completed pass, such as 3.0. Off if left out.",
            json!({ "type": "number", "exclusiveMinimum": 0 }),
        ),

        ("trigger", "column") => ("The date column.", text()),
        ("trigger", "when") => (
            "Counts only where this SQL expression over the row's own columns is true.",
            text(),
        ),

        ("dependant", "table") => ("The table whose rows belong to the record.", table_name()),
        ("dependant", "action") => (
            "\"delete\" (also if left out): its rows go with the record. \"unlink\": they stay, and their foreign key is emptied.",
            words(Fate::ALL.map(Fate::name)),
        ),

        ("dependant", "on") => (
            "How its rows are related, where no foreign key says so: equal columns, the dependant's on the left, such as \"letter_id = letter.id\".",
            text(),
        ),
        ("dependant", "where") => (
            "Only rows of the dependant of which this SQL expression is true are related, such as \"object_type = 'letter'\".",
            text(),
        ),

        ("file column", "column") => ("The text column that holds the file's path.", text()),
        ("file column", "store") => ("The name under which the settings know the folder.", text()),
        ("file column", "table") => (
            "The table that has the column: the class's own if left out, or a dependant that is deleted.",
            table_name(),
        ),
        _ => return None,
    })
}

/// A text that says something.
fn text() -> Value {
    json!({ "type": "string", "pattern": r"\S" })
}

/// Five or six fields; whether they are plain cron, the reader says.
fn timetable() -> Value {
    json!({ "type": "string", "pattern": r"^\s*([^\s@]+\s+){4,5}[^\s@]+\s*$" })
}

/// `name` or `schema.name`.
fn table_name() -> Value {
    json!({ "type": "string", "pattern": r"^\s*[^.\s][^.]*(\.[^.]+)?$" })
}

/// A TOML date, which editors hand over as text.
fn date() -> Value {
    json!({ "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" })
}

/// One of these words.
fn words(words: impl IntoIterator<Item = &'static str>) -> Value {
    let words: Vec<&str> = words.into_iter().collect();
    json!({ "type": "string", "enum": words })
}

/// A period in words or ISO 8601.
fn period() -> Value {
    json!({ "type": "string", "pattern": r"^\s*(P([0-9]+Y)?([0-9]+M)?([0-9]+W)?([0-9]+D)?|[0-9]+\s+(years?|months?|weeks?|days?)(\s+[0-9]+\s+(years?|months?|weeks?|days?))*)\s*$" })
}

/// A number of days or weeks.
fn days() -> Value {
    json!({ "type": "string", "pattern": r"^\s*(P([0-9]+W)?([0-9]+D)?|[0-9]+\s+(weeks?|days?)(\s+[0-9]+\s+(weeks?|days?))*)\s*$" })
}

/// Columns and what is written to them.
fn columns() -> Value {
    let whole = Strategy::ALL
        .into_iter()
        .filter(|strategy| *strategy != Strategy::Remove);
    json!({
        "type": "object", "minProperties": 1, "additionalProperties": false,
        "patternProperties": {
            r"^[^.]+$": words(whole.map(Strategy::name)),
            r"^[^.]+(\.[^.]+)+$": words([Strategy::Remove.name()]),
        },
    })
}
