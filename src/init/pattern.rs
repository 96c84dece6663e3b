//! Which tables somebody asked for: `users`, `crm.*`, `case_?`.

use crate::ident::TableName;

/// A table's name with `*` for any text and `?` for any character. Without a schema it is one
/// of `public`, as everywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<char>);

impl Pattern {
    /// Takes a pattern as it was typed.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let whole = if text.contains('.') {
            text.to_owned()
        } else {
            format!("public.{text}")
        };
        Self(whole.chars().collect())
    }

    /// Whether a table is meant.
    #[must_use]
    pub fn matches(&self, table: &TableName) -> bool {
        let name: Vec<char> = table.to_string().chars().collect();
        // row[n]: the pattern so far matches the first n characters.
        let mut row = vec![false; name.len() + 1];
        row[0] = true;
        for part in &self.0 {
            let mut next = vec![false; name.len() + 1];
            for end in 0..=name.len() {
                next[end] = match part {
                    '*' => row[end] || end > 0 && next[end - 1],
                    '?' => end > 0 && row[end - 1],
                    other => end > 0 && row[end - 1] && name[end - 1] == *other,
                };
            }
            row = next;
        }
        row[name.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    fn matched(pattern: &str, table: &str) -> bool {
        table
            .parse()
            .is_ok_and(|table| Pattern::new(pattern).matches(&table))
    }

    #[test]
    fn a_pattern_is_a_whole_name() {
        assert!(matched("users", "public.users"));
        assert!(!matched("users", "crm.users"));
        assert!(!matched("user", "public.users"));
        assert!(matched("crm.*", "crm.users"));
        assert!(matched("*.users", "crm.users"));
        assert!(matched("c*t?cts", "public.contacts"));
        assert!(!matched("Users", "public.users"));
        assert!(matched("*", "public.x"));
        assert!(!matched("*", "crm.x"));
        assert!(matched("*.*", "crm.x"));
        assert!(!matched("", "public.users"));
    }
}
