//! What `init` wrote for a person to decide, and nobody has yet.

use super::{Fields, Reader, Value};
use crate::schedule::PLACEHOLDER;
use crate::schedule::diagnostics::{Code, Diagnostic, Place};

impl Reader<'_> {
    /// One warning for the table, with each of its values that nobody has decided.
    pub(super) fn placeholders(&mut self, fields: &Fields<'_, '_>, what: &str) {
        let mut found: Vec<(Place, String)> = fields
            .table
            .iter()
            .filter(|(_, value)| self.is_placeholder(value))
            .map(|(key, value)| (self.place_of(value), format!("`{}`", key.get_ref())))
            .collect();
        found.sort();
        let names: Vec<&str> = found.iter().map(|(_, name)| name.as_str()).collect();
        let Some(((first, _), others)) = found.split_first() else {
            return;
        };
        let undecided = Diagnostic::new(
            Code::Placeholder,
            format!(
                "{what} still has what `init` proposed: {}",
                names.join(", ")
            ),
        )
        .hint("decide, write it in your own words, and take the word PLACEHOLDER away")
        .at(*first);
        let undecided = others.iter().fold(undecided, |undecided, (place, _)| {
            undecided.also(*place, "this as well")
        });
        self.report(undecided);
    }

    /// A text that begins with the word, or a value with such a remark behind it.
    fn is_placeholder(&self, value: &Value<'_>) -> bool {
        let text = value.get_ref().as_str().unwrap_or_default();
        let behind = self.text.get(value.span().end..).unwrap_or_default();
        let remark = behind.lines().next().unwrap_or_default().trim_start();
        let remark = remark.strip_prefix('#').unwrap_or_default();
        [text, remark]
            .iter()
            .any(|words| words.trim_start().starts_with(PLACEHOLDER))
    }
}
