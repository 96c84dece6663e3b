//! The keys of a class that say how its time is counted, beside trigger and period.

use chrono::NaiveDate;
use chrono_tz::Tz;
use toml::de::DeValue;

use super::{Fields, Reader, Value};
use crate::ident::Ident;
use crate::schedule::PLAUSIBLE_FROM;
use crate::schedule::class::Limit;
use crate::schedule::diagnostics::{Code, Diagnostic, Place};
use crate::schedule::period::Period;
use crate::schedule::rounding::EndOf;

/// How a class's time is counted.
pub(super) struct Timing {
    pub plausible_from: NaiveDate,
    pub trigger_zone: Option<Tz>,
    pub from_end_of: Option<EndOf>,
    pub tolerance: u32,
    pub unless_active: Vec<Ident>,
}

impl Reader<'_> {
    pub(super) fn timing(
        &mut self,
        fields: &Fields<'_, '_>,
        limit: Option<Limit>,
    ) -> Option<Timing> {
        let plausible_from = match fields.get("plausible_from") {
            Some(value) => self.day(value, "plausible_from"),
            None => Some(PLAUSIBLE_FROM),
        };
        let fixed = fields
            .get("trigger")
            .is_some_and(|value| matches!(value.get_ref(), DeValue::Datetime(_)));
        let trigger_zone = match fields.get("trigger_zone") {
            Some(value) if fixed => {
                let place = self.place_of(value);
                self.contradiction(
                    "`trigger_zone` has no place beside a fixed date".to_owned(),
                    "it says how timestamps without a zone are read: leave it out",
                    place,
                );
                None
            }
            Some(value) => self
                .text_value(value, "trigger_zone")
                .and_then(|(text, place)| self.time_zone(&text, place))
                .map(Some),
            None => Some(None),
        };
        let from_end_of = match fields.get("from_end_of") {
            Some(value) => self
                .word(
                    value,
                    "from_end_of",
                    &EndOf::ALL.map(|end_of| (end_of.name(), end_of)),
                )
                .map(Some),
            None => Some(None),
        };
        let tolerance = self.tolerance(fields, limit);
        let unless_active = match fields.get("unless_active") {
            Some(value) => self.column_list(value, "unless_active", "a list of date columns"),
            None => Some(Vec::new()),
        };
        Some(Timing {
            plausible_from: plausible_from?,
            trigger_zone: trigger_zone?,
            from_end_of: from_end_of?,
            tolerance: tolerance?,
            unless_active: unless_active?,
        })
    }

    /// How many days late is not reported yet.
    pub(super) fn tolerance(
        &mut self,
        fields: &Fields<'_, '_>,
        limit: Option<Limit>,
    ) -> Option<u32> {
        let Some(value) = fields.get("tolerance") else {
            return Some(0);
        };
        let days = self.days(value, "tolerance");
        // What is late by a maximum is a breach on the day after, whoever tolerates it.
        if limit == Some(Limit::Maximum) && days.is_some_and(|days| days > 0) {
            let place = self.place_of(value);
            self.contradiction(
                "a maximum has no tolerance".to_owned(),
                "a record that is still there on the day after its last is a breach, and is reported as one: leave `tolerance` out",
                place,
            );
            return None;
        }
        days
    }

    /// A list of columns, each once.
    pub(super) fn column_list(
        &mut self,
        value: &Value<'_>,
        key: &str,
        what: &str,
    ) -> Option<Vec<Ident>> {
        let entries = self.array(value, key, what)?;
        let mut columns: Vec<(Ident, Place)> = Vec::new();
        let mut fits = true;
        for entry in entries {
            let place = self.place_of(entry);
            let column = self
                .text_value(entry, key)
                .and_then(|(text, place)| self.column_name(&text, place));
            let Some(column) = column else {
                fits = false;
                continue;
            };
            if let Some((_, first)) = columns.iter().find(|(other, _)| *other == column) {
                self.repeated(&format!("the column `{column}`"), place, *first);
                fits = false;
            } else {
                columns.push((column, place));
            }
        }
        fits.then(|| columns.into_iter().map(|(column, _)| column).collect())
    }

    /// A plain date.
    pub(super) fn day(&mut self, value: &Value<'_>, key: &str) -> Option<NaiveDate> {
        let DeValue::Datetime(written) = value.get_ref() else {
            self.wrong_type(key, "a date without quotes, such as 2027-03-31", value);
            return None;
        };
        let place = self.place_of(value);
        self.date(written, place)
    }

    /// A number of days: `30 days`, `2 weeks`, `0 days`.
    pub(super) fn days(&mut self, value: &Value<'_>, key: &str) -> Option<u32> {
        let (text, place) = self.text_value(value, key)?;
        if matches!(text.as_str(), "0 days" | "P0D") {
            return Some(0);
        }
        let (message, hint) = match Period::parse(&text) {
            Ok(period) if period.months() == 0 => return Some(period.days()),
            Ok(_) => (
                format!("`{key}` is counted in days or weeks, not in months or years"),
                "write it like \"30 days\" or \"2 weeks\"".to_owned(),
            ),
            Err(error) => (error.to_string(), error.hint().to_owned()),
        };
        self.report(
            Diagnostic::new(Code::BadPeriod, message)
                .hint(hint)
                .at(place),
        );
        None
    }
}
