//! Identifiers, and the only door from text to an SQL identifier.
//!
//! Text that a person wrote (a table's name in the schedule, a column's name in
//! the catalogue) becomes part of a statement only through [`Ident::quoted`],
//! [`TableName::quoted`] or [`literal`], and part of a page only through [`escape_html`].
//! Nothing here knows what the names mean.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// PostgreSQL truncates longer names silently, so that two of them could meet.
const LONGEST: usize = 63;

/// Words that PostgreSQL takes for its own where a name is meant (`pg_get_keywords`,
/// categories R and T).
const RESERVED: [&str; 101] = [
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "binary",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "false",
    "fetch",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "group",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "natural",
    "not",
    "notnull",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "outer",
    "overlaps",
    "placing",
    "primary",
    "references",
    "returning",
    "right",
    "select",
    "session_user",
    "similar",
    "some",
    "symmetric",
    "system_user",
    "table",
    "tablesample",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
];

/// Why a text cannot name anything in PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentError {
    /// Nothing at all was written.
    #[error("a name must not be empty")]
    Empty,
    /// PostgreSQL would cut it off.
    #[error("`{0}` is longer than the 63 bytes PostgreSQL keeps of a name")]
    TooLong(String),
    /// A NUL or another control character.
    #[error("a name must not contain control characters")]
    Control,
    /// More dots than `schema.name` has.
    #[error("`{0}` is not `name` or `schema.name`")]
    Shape(String),
}

/// One SQL identifier exactly as PostgreSQL stores it (case kept, not quoted).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ident(String);

impl Ident {
    /// Takes a name as PostgreSQL stores it.
    ///
    /// # Errors
    /// When it is empty, longer than 63 bytes, or holds control characters.
    pub fn new(text: impl Into<String>) -> Result<Self, IdentError> {
        let text = text.into();
        if text.is_empty() {
            return Err(IdentError::Empty);
        }
        if text.len() > LONGEST {
            return Err(IdentError::TooLong(text));
        }
        if text.chars().any(char::is_control) {
            return Err(IdentError::Control);
        }
        Ok(Self(text))
    }

    /// The name without quotes, for people and for look-ups.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as it stands in a statement: always quoted, quotes doubled.
    #[must_use]
    pub fn quoted(&self) -> String {
        format!("\"{}\"", self.0.replace('"', "\"\""))
    }

    /// The name for a statement that a person will read and run: quoted where it must be.
    #[must_use]
    pub fn written(&self) -> String {
        let plain = self
            .0
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            && !self.0.starts_with(|c: char| c.is_ascii_digit())
            && !RESERVED.contains(&self.0.as_str());
        if plain { self.0.clone() } else { self.quoted() }
    }
}

impl fmt::Display for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Ident {
    type Error = IdentError;
    fn try_from(text: String) -> Result<Self, IdentError> {
        Self::new(text)
    }
}

impl From<Ident> for String {
    fn from(ident: Ident) -> Self {
        ident.0
    }
}

/// A table with its schema. Shown as `schema.name`, also for `public`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TableName {
    schema: Ident,
    name: Ident,
}

impl TableName {
    /// A table from its two names.
    #[must_use]
    pub fn new(schema: Ident, name: Ident) -> Self {
        Self { schema, name }
    }

    /// The schema it lies in.
    #[must_use]
    pub fn schema(&self) -> &Ident {
        &self.schema
    }

    /// Its name within the schema.
    #[must_use]
    pub fn name(&self) -> &Ident {
        &self.name
    }

    /// `"schema"."name"`, as it stands in a statement.
    #[must_use]
    pub fn quoted(&self) -> String {
        format!("{}.{}", self.schema.quoted(), self.name.quoted())
    }

    /// The same as a person would write it: quoted where it must be.
    #[must_use]
    pub fn written(&self) -> String {
        format!("{}.{}", self.schema.written(), self.name.written())
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

impl FromStr for TableName {
    type Err = IdentError;

    /// `name` (in schema `public`) or `schema.name`.
    fn from_str(text: &str) -> Result<Self, IdentError> {
        let mut parts = text.split('.');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(name), None, None) => Ok(Self::new(Ident::new("public")?, Ident::new(name)?)),
            (Some(schema), Some(name), None) => {
                Ok(Self::new(Ident::new(schema)?, Ident::new(name)?))
            }
            _ => Err(IdentError::Shape(text.to_owned())),
        }
    }
}

impl TryFrom<String> for TableName {
    type Error = IdentError;
    fn try_from(text: String) -> Result<Self, IdentError> {
        text.parse()
    }
}

impl From<TableName> for String {
    fn from(table: TableName) -> Self {
        table.to_string()
    }
}

/// The name of a record class: lower-case letters, digits and hyphens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClassId(String);

impl ClassId {
    /// Takes an id such as `foi-requests`.
    ///
    /// Returns `None` unless it starts with a lower-case letter and goes on with
    /// lower-case letters, digits and single hyphens, in at most 60 bytes.
    /// (`application_name` keeps 63 bytes; `list` and `withdraw` are commands.)
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let shape = text.starts_with(|c: char| c.is_ascii_lowercase())
            && text
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && !text.ends_with('-')
            && !text.contains("--")
            && text.len() <= 60;
        (shape && !matches!(text, "list" | "withdraw")).then(|| Self(text.to_owned()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClassId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text constant for a statement. Needs `standard_conforming_strings = on`,
/// PostgreSQL's default, which every connection of ours sets again.
#[must_use]
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''").replace('\0', ""))
}

/// Text as it stands in a page: nothing in it starts a tag or ends an attribute.
#[must_use]
pub fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_inside_a_name_cannot_end_it() {
        let ident = Ident::new("a\"; DROP TABLE b; --").map(|i| i.quoted());
        assert_eq!(ident.as_deref(), Ok("\"a\"\"; DROP TABLE b; --\""));
    }

    #[test]
    fn a_table_without_a_schema_is_in_public() {
        let table: Result<TableName, _> = "media".parse();
        assert_eq!(table.map(|t| t.to_string()).as_deref(), Ok("public.media"));
        assert!("a.b.c".parse::<TableName>().is_err());
        assert!("a.".parse::<TableName>().is_err());
    }

    #[test]
    fn a_class_id_is_plain_and_not_a_command() {
        assert!(ClassId::new("foi-requests").is_some());
        for bad in [
            "",
            "FOI",
            "foi requests",
            "-foi",
            "foi-",
            "a--b",
            "list",
            "withdraw",
            "é",
        ] {
            assert!(ClassId::new(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_quote_inside_a_constant_cannot_end_it() {
        assert_eq!(literal("O'Brien"), "'O''Brien'");
    }
}
