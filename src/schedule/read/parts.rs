//! The parts of a class that are more than one word: conditions, triggers, the
//! columns to anonymise, dependants, files.

use chrono::NaiveDate;
use toml::de::{DeArray, DeValue};
use toml::value::Datetime;

use super::{Reader, Value, keys};
use crate::ident::{Ident, TableName};
use crate::schedule::class::{
    Anonymisation, Dependant, Fate, FileColumn, Strategy, Trigger, TriggerColumn,
};
use crate::schedule::condition::Condition;
use crate::schedule::diagnostics::{Code, Diagnostic, Place};

impl Reader<'_> {
    pub(super) fn condition(&mut self, value: &Value<'_>, key: &str) -> Option<Condition> {
        let (text, place) = self.text_value(value, key)?;
        match Condition::parse(&text) {
            Ok(condition) => Some(condition),
            Err(error) => {
                let place = self.within(place, &text, error.span());
                let mut diagnostic = Diagnostic::new(error.code(), error.to_string()).at(place);
                diagnostic.hint = error.hint().map(str::to_owned);
                self.report(diagnostic);
                None
            }
        }
    }

    /// The place of a part of a text, where the file holds the text as it is: a
    /// string with escapes is underlined as a whole.
    pub(super) fn within(
        &self,
        place: Place,
        text: &str,
        span: Option<std::ops::Range<usize>>,
    ) -> Place {
        let written = self.text.get(place.start..place.end).unwrap_or_default();
        match (written.find(text), span) {
            (Some(offset), Some(span)) if span.end > span.start => {
                let start = place.start + offset;
                self.place(start + span.start..start + span.end)
            }
            _ => place,
        }
    }

    pub(super) fn column_name(&mut self, text: &str, place: Place) -> Option<Ident> {
        match Ident::new(text) {
            Ok(name) => Some(name),
            Err(error) => {
                self.report(
                    Diagnostic::new(
                        Code::BadName,
                        format!("this is not the name of a column: {error}"),
                    )
                    .at(place),
                );
                None
            }
        }
    }

    pub(super) fn array<'a, 'i>(
        &mut self,
        value: &'a Value<'i>,
        key: &str,
        wanted: &str,
    ) -> Option<&'a DeArray<'i>> {
        let DeValue::Array(entries) = value.get_ref() else {
            self.wrong_type(key, wanted, value);
            return None;
        };
        if entries.iter().next().is_none() {
            self.empty(key, self.place_of(value));
            return None;
        }
        Some(entries)
    }

    fn empty(&mut self, key: &str, place: Place) {
        self.report(
            Diagnostic::new(Code::EmptyList, format!("`{key}` must not be empty"))
                .hint("leave it out, or say what belongs in it")
                .at(place),
        );
    }

    pub(super) fn trigger(
        &mut self,
        value: &Value<'_>,
        own: Option<&TableName>,
    ) -> Option<Trigger> {
        match value.get_ref() {
            DeValue::Datetime(date) => {
                let place = self.place_of(value);
                self.date(date, place).map(Trigger::Fixed)
            }
            DeValue::String(_) => {
                let (text, place) = self.text_value(value, "trigger")?;
                let (related, column) = self.trigger_column(&text, place, own)?;
                let when = None;
                Some(Trigger::Columns(vec![TriggerColumn {
                    related,
                    column,
                    when,
                }]))
            }
            DeValue::Table(_) => {
                let place = self.place_of(value);
                self.report(
                    Diagnostic::new(
                        Code::WrongType,
                        "a trigger with a condition stands in a list",
                    )
                    .hint("write `trigger = [{ column = \"…\", when = \"…\" }]`")
                    .at(place),
                );
                None
            }
            _ => {
                let entries =
                    self.array(value, "trigger", "a column, a list of columns or a date")?;
                let columns: Vec<Option<(TriggerColumn, Place)>> = entries
                    .iter()
                    .map(|entry| self.trigger_entry(entry, own))
                    .collect();
                let columns: Option<Vec<_>> = columns.into_iter().collect();
                self.distinct_triggers(columns?)
            }
        }
    }

    fn distinct_triggers(&mut self, columns: Vec<(TriggerColumn, Place)>) -> Option<Trigger> {
        let mut kept: Vec<(TriggerColumn, Place)> = Vec::new();
        let mut repeated = false;
        for (column, place) in columns {
            if let Some((_, first)) = kept.iter().find(|(other, _)| *other == column) {
                repeated = true;
                self.repeated(&format!("the trigger `{}`", column.column), place, *first);
            }
            kept.push((column, place));
        }
        let kept = kept.into_iter().map(|(column, _)| column).collect();
        (!repeated).then_some(Trigger::Columns(kept))
    }

    pub(super) fn repeated(&mut self, what: &str, place: Place, first: Place) {
        self.report(
            Diagnostic::new(Code::Repeated, format!("{what} is named twice"))
                .hint("name it once")
                .at(place)
                .also(first, "first named here"),
        );
    }

    fn trigger_entry(
        &mut self,
        entry: &Value<'_>,
        own: Option<&TableName>,
    ) -> Option<(TriggerColumn, Place)> {
        match entry.get_ref() {
            DeValue::Table(table) => {
                let place = self.place_of(entry);
                let fields = self.fields(table, &keys::TRIGGER, place);
                let column = self
                    .required_text(&fields, "column")
                    .and_then(|(text, place)| {
                        self.trigger_column(&text, place, own)
                            .map(|column| (column, place))
                    });
                let when = match fields.get("when") {
                    Some(value) => self.condition(value, "when").map(Some),
                    None => Some(None),
                };
                let ((related, column), place) = column?;
                Some((
                    TriggerColumn {
                        related,
                        column,
                        when: when?,
                    },
                    place,
                ))
            }
            DeValue::String(_) => {
                let (text, place) = self.text_value(entry, "trigger")?;
                let (related, column) = self.trigger_column(&text, place, own)?;
                let when = None;
                Some((
                    TriggerColumn {
                        related,
                        column,
                        when,
                    },
                    place,
                ))
            }
            DeValue::Datetime(_) => {
                let place = self.place_of(entry);
                self.report(
                    Diagnostic::new(Code::WrongType, "a fixed date stands alone, not in a list")
                        .hint("write `trigger = 2021-07-31`")
                        .at(place),
                );
                None
            }
            _ => {
                self.wrong_type(
                    "trigger",
                    "a column, or a table with column and when",
                    entry,
                );
                None
            }
        }
    }

    /// A column, or one of a related table: `closed_at`, `case.closed_at`, `registry.case.closed_at`.
    fn trigger_column(
        &mut self,
        text: &str,
        place: Place,
        own: Option<&TableName>,
    ) -> Option<(Option<TableName>, Ident)> {
        if let Some((table, column)) = text.rsplit_once('.') {
            let table = self.table_name(table, place);
            let column = self.column_name(column, place);
            let (table, column) = (table?, column?);
            if Some(&table) == own {
                self.contradiction(
                    format!("`{text}` is a column of the class's own table"),
                    "write the column alone; a table before it means the row that the record refers to",
                    place,
                );
                return None;
            }
            return Some((Some(table), column));
        }
        let date = text.len() == 10 && text.parse::<NaiveDate>().is_ok();
        if date {
            self.report(
                Diagnostic::new(
                    Code::BadDate,
                    format!("\"{text}\" in quotes is a column, not a date"),
                )
                .hint(format!("write `trigger = {text}`, without quotes"))
                .at(place),
            );
            return None;
        }
        self.column_name(text, place).map(|column| (None, column))
    }

    pub(super) fn date(&mut self, written: &Datetime, place: Place) -> Option<NaiveDate> {
        let date = match (written.date, written.time, written.offset) {
            (Some(date), None, None) => NaiveDate::from_ymd_opt(
                i32::from(date.year),
                u32::from(date.month),
                u32::from(date.day),
            ),
            _ => None,
        };
        if date.is_none() {
            self.report(
                Diagnostic::new(Code::BadDate, format!("`{written}` is not a plain date"))
                    .hint("write a day, such as 2021-07-31, without a time or a zone")
                    .at(place),
            );
        }
        date
    }

    pub(super) fn anonymise(&mut self, value: &Value<'_>) -> Option<Vec<Anonymisation>> {
        let table = self.table(value, "anonymise")?;
        if table.is_empty() {
            self.empty("anonymise", self.place_of(value));
            return None;
        }
        let parts: Vec<Option<Anonymisation>> = table
            .iter()
            .map(|(key, strategy)| {
                let place = self.place_of(key);
                self.anonymisation(key.get_ref(), place, strategy)
            })
            .collect();
        let parts: Vec<Anonymisation> = parts.into_iter().collect::<Option<_>>()?;
        self.apart(&parts, value).then_some(parts)
    }

    fn anonymisation(
        &mut self,
        key: &str,
        place: Place,
        value: &Value<'_>,
    ) -> Option<Anonymisation> {
        if value.get_ref().is_table() {
            // `answers.phone = "remove"` without quotes is a table in TOML.
            self.report(
                Diagnostic::new(
                    Code::WrongType,
                    format!("`{key}` must be a strategy, not a table"),
                )
                .hint(format!("put a path in quotes: `\"{key}.…\" = \"remove\"`"))
                .at(place),
            );
            return None;
        }
        let mut names = key.split('.').map(str::trim);
        let column = names.next().unwrap_or_default();
        let path: Vec<String> = names.map(str::to_owned).collect();
        let strategy = self.word(
            value,
            key,
            &Strategy::ALL.map(|strategy| (strategy.name(), strategy)),
        );
        if path.iter().any(String::is_empty) {
            self.report(
                Diagnostic::new(
                    Code::BadName,
                    format!("`{key}` has a dot with nothing beside it"),
                )
                .at(place),
            );
            return None;
        }
        let column = self.column_name(column, place);
        let (column, strategy) = (column?, strategy?);
        match (strategy, path.is_empty()) {
            (Strategy::Remove, true) => {
                self.report(
                    Diagnostic::new(
                        Code::PathAndStrategy,
                        format!("`remove` needs a path inside the JSON column `{column}`"),
                    )
                    .hint(format!(
                        "write `\"{column}.key\" = \"remove\"`, or use `null` for the whole column"
                    ))
                    .at(place),
                );
                None
            }
            (Strategy::Remove, false) | (_, true) => Some(Anonymisation {
                column,
                path,
                strategy,
            }),
            (_, false) => {
                self.report(
                    Diagnostic::new(
                        Code::PathAndStrategy,
                        format!(
                            "`{}` works on whole columns, and `{key}` is a path",
                            strategy.name()
                        ),
                    )
                    .hint("inside a JSON column only `remove` is possible")
                    .at(place),
                );
                None
            }
        }
    }

    /// No column or path twice, and none inside another.
    fn apart(&mut self, parts: &[Anonymisation], value: &Value<'_>) -> bool {
        let mut apart = true;
        for (position, part) in parts.iter().enumerate() {
            let earlier = parts.iter().take(position).position(|other| {
                other.column == part.column
                    && (other.path.starts_with(&part.path) || part.path.starts_with(&other.path))
            });
            if let Some(earlier) = earlier {
                apart = false;
                let place = |position| {
                    value
                        .get_ref()
                        .as_table()
                        .and_then(|table| table.iter().nth(position))
                        .map_or_else(|| self.place_of(value), |(key, _)| self.place_of(key))
                };
                let (place, first) = (place(position), place(earlier));
                self.repeated(
                    &format!("`{}`, or a part of it,", part.column),
                    place,
                    first,
                );
            }
        }
        apart
    }

    pub(super) fn files(
        &mut self,
        value: &Value<'_>,
        own: Option<&TableName>,
        dependants: Option<&[Dependant]>,
    ) -> Option<Vec<FileColumn>> {
        let entries = self.array(value, "files", "a list of tables with column and store")?;
        let read: Vec<Option<FileColumn>> = entries
            .iter()
            .map(|entry| self.file_column(entry, own))
            .collect();
        let files: Vec<FileColumn> = read.into_iter().collect::<Option<_>>()?;
        let mut fits = true;
        for (position, file) in files.iter().enumerate() {
            let goes = Some(&file.table) == own
                || dependants.is_none_or(|dependants| {
                    dependants.iter().any(|dependant| {
                        dependant.table == file.table && dependant.fate == Fate::Delete
                    })
                });
            if !goes {
                fits = false;
                self.contradiction(
                    format!(
                        "the rows of {} do not go with a record of this class",
                        file.table
                    ),
                    "name the class's own table, or one of its dependants that are deleted",
                    file.place,
                );
            }
            let earlier = files
                .iter()
                .take(position)
                .find(|other| other.table == file.table && other.column == file.column);
            if let Some(first) = earlier {
                fits = false;
                self.repeated(
                    &format!("the file column {}.{}", file.table, file.column),
                    file.place,
                    first.place,
                );
            }
        }
        fits.then_some(files)
    }

    fn file_column(&mut self, entry: &Value<'_>, own: Option<&TableName>) -> Option<FileColumn> {
        let place = self.place_of(entry);
        let DeValue::Table(table) = entry.get_ref() else {
            self.wrong_type("files", "a list of tables with column and store", entry);
            return None;
        };
        let fields = self.fields(table, &keys::FILE_COLUMN, place);
        let column = self
            .required_text(&fields, "column")
            .and_then(|(text, place)| self.column_name(&text, place));
        let store = self.required_text(&fields, "store").map(|(text, _)| text);
        let table = match fields.get("table") {
            Some(value) => self
                .text_value(value, "table")
                .and_then(|(text, place)| self.table_name(&text, place)),
            None => own.cloned(),
        };
        Some(FileColumn {
            table: table?,
            column: column?,
            store: store?,
            place,
        })
    }
}
