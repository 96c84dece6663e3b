//! The primary key of a record: how it is named, shown, parsed and handed over.
//!
//! A key is an ordered list of values, one for each [`KeyColumns`] column. Whole
//! numbers stay numbers; everything else (`uuid`, `text`, `date`) is the text that
//! PostgreSQL prints for it. A key may be personal data, so that nothing here puts
//! one into an error, and `Debug` shows only the length of a text.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ident::Ident;

/// What PostgreSQL allows in one index (`INDEX_MAX_KEYS`).
const MOST_COLUMNS: usize = 32;

/// Why a key, or the columns of one, cannot be read. Never holds a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No column, or more than an index can have.
    #[error("a key has 1 to 32 columns, not {0}")]
    Columns(usize),
    /// The same column twice.
    #[error("the key names column `{0}` twice")]
    Twice(Ident),
    /// A value for a column that was not given one.
    #[error("the key needs {expected} values ({names}); given: {found}")]
    Values {
        /// How many columns there are.
        expected: usize,
        /// The columns' names.
        names: String,
        /// How many values there are.
        found: usize,
    },
    /// A column of whole numbers was given something else.
    #[error("column `{0}` of the key holds whole numbers")]
    NotANumber(Ident),
    /// The text form could not be taken apart.
    #[error("the key is to be written `{0}`")]
    Form(String),
}

/// What the values of a key column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyKind {
    /// `smallint`, `integer`, `bigint`.
    Int,
    /// Anything else, as PostgreSQL prints it.
    Text,
}

/// One column of a primary key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyColumn {
    /// Its name.
    pub name: Ident,
    /// What its values are.
    pub kind: KeyKind,
}

/// The columns of a primary key, in the key's order: 1 to 32, no name twice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<KeyColumn>", into = "Vec<KeyColumn>")]
pub struct KeyColumns(Vec<KeyColumn>);

impl KeyColumns {
    /// Takes the columns in the key's order.
    ///
    /// # Errors
    /// When there is none, there are more than 32, or one stands twice.
    pub fn new(columns: Vec<KeyColumn>) -> Result<Self, KeyError> {
        if columns.is_empty() || columns.len() > MOST_COLUMNS {
            return Err(KeyError::Columns(columns.len()));
        }
        for (i, column) in columns.iter().enumerate() {
            if columns[..i].iter().any(|other| other.name == column.name) {
                return Err(KeyError::Twice(column.name.clone()));
            }
        }
        Ok(Self(columns))
    }

    /// A key of one column.
    #[must_use]
    pub fn single(name: Ident, kind: KeyKind) -> Self {
        Self(vec![KeyColumn { name, kind }])
    }

    /// The columns, in order. Never empty.
    #[must_use]
    pub fn as_slice(&self) -> &[KeyColumn] {
        &self.0
    }

    /// Whether `values` has one value of the right kind for each column.
    #[must_use]
    pub fn fits(&self, values: &[KeyValue<'_>]) -> bool {
        self.0.len() == values.len()
            && self
                .0
                .iter()
                .zip(values)
                .all(|(column, value)| column.kind == value.kind())
    }

    fn names(&self) -> String {
        let names: Vec<&str> = self.0.iter().map(|c| c.name.as_str()).collect();
        names.join(", ")
    }

    fn form(&self) -> String {
        match &self.0[..] {
            [_] => "VALUE".to_owned(),
            columns => columns
                .iter()
                .map(|c| format!("{}=VALUE", c.name))
                .collect::<Vec<_>>()
                .join(","),
        }
    }

    fn wrong_number(&self, found: usize) -> KeyError {
        KeyError::Values {
            expected: self.0.len(),
            names: self.names(),
            found,
        }
    }
}

impl TryFrom<Vec<KeyColumn>> for KeyColumns {
    type Error = KeyError;
    fn try_from(columns: Vec<KeyColumn>) -> Result<Self, KeyError> {
        Self::new(columns)
    }
}

impl From<KeyColumns> for Vec<KeyColumn> {
    fn from(columns: KeyColumns) -> Self {
        columns.0
    }
}

/// One value of a key. Borrowed text can be pushed into a manifest as it stands in
/// a row that has just arrived.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyValue<'a> {
    /// A whole number.
    Int(i64),
    /// Any other value, as PostgreSQL prints it.
    Text(Cow<'a, str>),
}

impl<'a> KeyValue<'a> {
    /// A borrowed text.
    #[must_use]
    pub fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// Whether it is a number or a text.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        match self {
            Self::Int(_) => KeyKind::Int,
            Self::Text(_) => KeyKind::Text,
        }
    }

    /// The same value, owning its text.
    #[must_use]
    pub fn into_owned(self) -> KeyValue<'static> {
        match self {
            Self::Int(number) => KeyValue::Int(number),
            Self::Text(text) => KeyValue::Text(Cow::Owned(text.into_owned())),
        }
    }

    fn to_text(&self) -> String {
        match self {
            Self::Int(number) => number.to_string(),
            Self::Text(text) => text.clone().into_owned(),
        }
    }
}

impl fmt::Debug for KeyValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(number) => write!(f, "{number}"),
            // A text key may be an e-mail address, and `Debug` ends up in logs.
            Self::Text(text) => write!(f, "<{} bytes>", text.len()),
        }
    }
}

/// The primary key of one record. Never empty.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey(Box<[KeyValue<'static>]>);

impl RecordKey {
    /// A key of these values, in the order of the key's columns.
    ///
    /// # Errors
    /// When there is no value, or there are more than 32.
    pub fn new(values: Vec<KeyValue<'static>>) -> Result<Self, KeyError> {
        if values.is_empty() || values.len() > MOST_COLUMNS {
            return Err(KeyError::Columns(values.len()));
        }
        Ok(Self(values.into_boxed_slice()))
    }

    /// A key of one whole number.
    #[must_use]
    pub fn int(number: i64) -> Self {
        Self(Box::new([KeyValue::Int(number)]))
    }

    /// A key of one text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self(Box::new([KeyValue::Text(Cow::Owned(text.into()))]))
    }

    /// Values that are known to be 1 to 32.
    pub(super) fn from_known(values: &[KeyValue<'static>]) -> Self {
        Self(values.into())
    }

    /// The values, in the order of the key's columns.
    #[must_use]
    pub fn values(&self) -> &[KeyValue<'static>] {
        &self.0
    }

    /// `{ "campaign": 2, "id": 7 }`. Values beyond the columns are left out.
    #[must_use]
    pub fn to_json(&self, columns: &KeyColumns) -> Value {
        let pairs = columns.0.iter().zip(&self.0).map(|(column, value)| {
            let value = match value {
                KeyValue::Int(number) => Value::from(*number),
                KeyValue::Text(text) => Value::from(text.as_ref()),
            };
            (column.name.as_str().to_owned(), value)
        });
        Value::Object(pairs.collect())
    }

    /// Each value as text, the form in which our working tables hold keys (`text[]`).
    #[must_use]
    pub fn to_texts(&self) -> Vec<String> {
        self.0.iter().map(KeyValue::to_text).collect()
    }

    /// The inverse of [`Self::to_texts`], given the columns.
    ///
    /// # Errors
    /// When the number of values differs, or a column of numbers has something else.
    pub fn from_texts<T: AsRef<str>>(columns: &KeyColumns, texts: &[T]) -> Result<Self, KeyError> {
        if texts.len() != columns.0.len() {
            return Err(columns.wrong_number(texts.len()));
        }
        let values = columns.0.iter().zip(texts).map(|(column, text)| {
            let text = text.as_ref();
            match column.kind {
                KeyKind::Int => text
                    .parse()
                    .map(KeyValue::Int)
                    .map_err(|_| KeyError::NotANumber(column.name.clone())),
                KeyKind::Text => Ok(KeyValue::Text(Cow::Owned(text.to_owned()))),
            }
        });
        Ok(Self(values.collect::<Result<_, _>>()?))
    }

    /// Reads the form of the command line: `7` (or `id=7`) for a key of one column,
    /// `campaign=2,id=7`, in any order, for one of several. In the latter a backslash
    /// takes the meaning from a comma or backslash after it.
    ///
    /// # Errors
    /// When a column is missing, unknown or there twice, or a number is none.
    pub fn parse(columns: &KeyColumns, text: &str) -> Result<Self, KeyError> {
        if let [column] = &columns.0[..] {
            let value = text
                .strip_prefix(column.name.as_str())
                .and_then(|rest| rest.strip_prefix('='))
                .unwrap_or(text);
            return Self::from_texts(columns, &[value]);
        }
        let mut values: Vec<Option<String>> = vec![None; columns.0.len()];
        for part in split_at_commas(text) {
            let found = columns.0.iter().position(|column| {
                part.strip_prefix(column.name.as_str())
                    .is_some_and(|rest| rest.starts_with('='))
            });
            let Some(at) = found else {
                return Err(KeyError::Form(columns.form()));
            };
            let column = &columns.0[at].name;
            if values[at].is_some() {
                return Err(KeyError::Twice(column.clone()));
            }
            values[at] = Some(part[column.as_str().len() + 1..].to_owned());
        }
        let given = values.iter().flatten().count();
        let texts: Option<Vec<String>> = values.into_iter().collect();
        let texts = texts.ok_or_else(|| columns.wrong_number(given))?;
        Self::from_texts(columns, &texts)
    }

    /// The form that [`Self::parse`] reads. For a person, and for a cell of a table;
    /// not for a log.
    #[must_use]
    pub fn to_command_line(&self, columns: &KeyColumns) -> String {
        if let ([column], [value]) = (&columns.0[..], &self.0[..]) {
            let text = value.to_text();
            let prefix = format!("{}=", column.name);
            return if text.starts_with(&prefix) {
                prefix + &text
            } else {
                text
            };
        }
        let parts = columns.0.iter().zip(&self.0).map(|(column, value)| {
            let value = value.to_text().replace('\\', "\\\\").replace(',', "\\,");
            format!("{}={value}", column.name)
        });
        parts.collect::<Vec<_>>().join(",")
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

/// Splits at commas without a backslash before them, and takes the backslashes away.
fn split_at_commas(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            ',' => parts.push(String::new()),
            other => {
                let kept = if other == '\\' {
                    characters.next().unwrap_or(other)
                } else {
                    other
                };
                if let Some(part) = parts.last_mut() {
                    part.push(kept);
                }
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn columns(list: &[(&str, KeyKind)]) -> KeyColumns {
        let columns = list.iter().map(|(name, kind)| KeyColumn {
            name: Ident::new(*name).unwrap(),
            kind: *kind,
        });
        KeyColumns::new(columns.collect()).unwrap()
    }

    #[test]
    fn one_column_is_written_plainly() {
        let id = columns(&[("id", KeyKind::Int)]);
        for text in ["7", "id=7"] {
            assert_eq!(RecordKey::parse(&id, text), Ok(RecordKey::int(7)));
        }
        assert_eq!(RecordKey::int(42).to_json(&id), json!({ "id": 42 }));
        let number = Ident::new("id").unwrap();
        let refused = KeyError::NotANumber(number);
        assert_eq!(RecordKey::parse(&id, "seven"), Err(refused));
    }

    #[test]
    fn several_columns_are_named_in_any_order() {
        let both = columns(&[("campaign", KeyKind::Int), ("id", KeyKind::Int)]);
        let key = RecordKey::new(vec![KeyValue::Int(2), KeyValue::Int(7)]).unwrap();
        for text in ["campaign=2,id=7", "id=7,campaign=2"] {
            assert_eq!(RecordKey::parse(&both, text).as_ref(), Ok(&key));
        }
        assert_eq!(key.to_command_line(&both), "campaign=2,id=7");
        let shown = key.to_json(&both).to_string();
        assert_eq!(shown, r#"{"campaign":2,"id":7}"#);
        assert_eq!(key.to_texts(), ["2", "7"]);

        let form = KeyError::Form("campaign=VALUE,id=VALUE".to_owned());
        assert_eq!(RecordKey::parse(&both, "7"), Err(form.clone()));
        assert_eq!(RecordKey::parse(&both, "campaign=2,other=7"), Err(form));
        assert_eq!(
            RecordKey::parse(&both, "id=1,id=2")
                .unwrap_err()
                .to_string(),
            "the key names column `id` twice"
        );
        assert_eq!(
            RecordKey::parse(&both, "id=1").unwrap_err().to_string(),
            "the key needs 2 values (campaign, id); given: 1"
        );
    }

    #[test]
    fn neither_an_error_nor_debug_shows_a_text_key() {
        let key = RecordKey::text("ada@example.org");
        assert_eq!(format!("{key:?}"), "[<15 bytes>]");
        let id = columns(&[("id", KeyKind::Int)]);
        let error = RecordKey::parse(&id, "ada@example.org").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("ada"));
    }

    #[test]
    fn the_columns_are_few_and_distinct() {
        assert_eq!(KeyColumns::new(vec![]), Err(KeyError::Columns(0)));
        let id = KeyColumn {
            name: Ident::new("id").unwrap(),
            kind: KeyKind::Int,
        };
        let twice = KeyColumns::new(vec![id.clone(), id.clone()]);
        assert_eq!(twice, Err(KeyError::Twice(id.name)));
    }

    proptest! {
        #[test]
        fn what_is_printed_is_parsed_back(number: i64, text in "[a-z=,\\\\\" é]{0,12}") {
            let two = columns(&[("n", KeyKind::Int), ("t", KeyKind::Text)]);
            let key = RecordKey::new(vec![
                KeyValue::Int(number),
                KeyValue::Text(Cow::Owned(text.clone())),
            ])
            .unwrap();
            prop_assert!(two.fits(key.values()));
            let shown = key.to_command_line(&two);
            prop_assert_eq!(RecordKey::parse(&two, &shown).unwrap(), key.clone());
            let texts = key.to_texts();
            prop_assert_eq!(RecordKey::from_texts(&two, &texts).unwrap(), key);

            let one = columns(&[("t", KeyKind::Text)]);
            let key = RecordKey::text(text.clone());
            let shown = key.to_command_line(&one);
            prop_assert_eq!(RecordKey::parse(&one, &shown).unwrap(), key);
            let key = RecordKey::text(format!("t={text}"));
            let shown = key.to_command_line(&one);
            prop_assert_eq!(RecordKey::parse(&one, &shown).unwrap(), key);
        }
    }
}
