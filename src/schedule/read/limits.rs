//! The keys that bound how much may go: `max_rows`, `max_share`, `max_growth`.

use toml::de::DeValue;

use super::{Fields, Reader, Value};
use crate::schedule::diagnostics::{Code, Diagnostic};
use crate::schedule::limits::{Factor, Limits};

impl Reader<'_> {
    pub(super) fn limits(&mut self, fields: &Fields<'_, '_>) -> Option<Limits> {
        let max_rows = match fields.get("max_rows") {
            Some(value) => self.whole(value, "max_rows").map(Some),
            None => Some(None),
        };
        let mut factor = |key: &str, most: Option<f64>| match fields.get(key) {
            Some(value) => self.factor(value, key, most).map(Some),
            None => Some(None),
        };
        let max_share = factor("max_share", Some(1.0));
        let max_growth = factor("max_growth", None);
        Some(Limits {
            max_rows: max_rows?,
            max_share: max_share?,
            max_growth: max_growth?,
        })
    }

    fn whole(&mut self, value: &Value<'_>, key: &str) -> Option<u64> {
        let DeValue::Integer(written) = value.get_ref() else {
            self.wrong_type(key, "a whole number of records", value);
            return None;
        };
        // What PostgreSQL counts with.
        let number = i64::from_str_radix(written.as_str(), written.radix()).ok();
        let number = number
            .and_then(|n| u64::try_from(n).ok())
            .filter(|n| *n > 0);
        if number.is_none() {
            self.bad_limit(value, key, "a whole number of records, 1 or more");
        }
        number
    }

    fn factor(&mut self, value: &Value<'_>, key: &str, most: Option<f64>) -> Option<Factor> {
        let written: Option<f64> = match value.get_ref() {
            DeValue::Float(written) => written.as_str().parse().ok(),
            DeValue::Integer(written) if written.radix() == 10 => written.as_str().parse().ok(),
            _ => {
                self.wrong_type(key, "a number", value);
                return None;
            }
        };
        let factor = written
            .filter(|number| most.is_none_or(|most| *number <= most))
            .and_then(Factor::new);
        if factor.is_none() {
            let range = match most {
                Some(_) => "a share over 0 and up to 1, such as 0.25",
                None => "a number over 0, such as 3.0 for three times as many",
            };
            self.bad_limit(value, key, range);
        }
        factor
    }

    fn bad_limit(&mut self, value: &Value<'_>, key: &str, range: &str) {
        let place = self.place_of(value);
        self.report(
            Diagnostic::new(Code::BadLimit, format!("`{key}` must be {range}"))
                .hint("a class that may do nothing is paused, not limited to nothing")
                .at(place),
        );
    }
}
