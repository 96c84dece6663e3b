//! Conditions over a row, in SQL's three-valued logic: `None` is *unknown*.

use super::value::Value;
use super::world::Row;

#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// A boolean column standing alone.
    Column(String),
    Equal(String, Value),
    Unequal(String, Value),
    Less(String, i32),
    In(String, Vec<Value>),
    IsNull(String),
    IsNotNull(String),
    IsTrue(String),
    IsNotTrue(String),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
}

impl Condition {
    /// TRUE, FALSE or unknown. The row must have the columns.
    pub fn holds(&self, row: &Row) -> Option<bool> {
        match self {
            Self::Column(column) => truth(&row[column]),
            Self::Equal(column, wanted) => equal(&row[column], wanted),
            Self::Unequal(column, wanted) => equal(&row[column], wanted).map(|same| !same),
            Self::Less(column, bound) => match &row[column] {
                Value::Int(value) => Some(value < bound),
                _ => None,
            },
            Self::In(column, list) => {
                let found = list.iter().map(|wanted| equal(&row[column], wanted));
                found.fold(Some(false), or)
            }
            Self::IsNull(column) => Some(row[column] == Value::Null),
            Self::IsNotNull(column) => Some(row[column] != Value::Null),
            Self::IsTrue(column) => Some(truth(&row[column]) == Some(true)),
            Self::IsNotTrue(column) => Some(truth(&row[column]) != Some(true)),
            Self::And(left, right) => {
                or(left.holds(row).map(|b| !b), right.holds(row).map(|b| !b)).map(|b| !b)
            }
            Self::Or(left, right) => or(left.holds(row), right.holds(row)),
            Self::Not(inner) => inner.holds(row).map(|b| !b),
        }
    }

    /// Every column that is named.
    pub fn columns(&self) -> Vec<&str> {
        match self {
            Self::Column(column)
            | Self::Equal(column, _)
            | Self::Unequal(column, _)
            | Self::Less(column, _)
            | Self::In(column, _)
            | Self::IsNull(column)
            | Self::IsNotNull(column)
            | Self::IsTrue(column)
            | Self::IsNotTrue(column) => vec![column],
            Self::And(left, right) | Self::Or(left, right) => {
                left.columns().into_iter().chain(right.columns()).collect()
            }
            Self::Not(inner) => inner.columns(),
        }
    }

    /// As the schedule writes it.
    pub fn sql(&self) -> String {
        let bare = |value: &Value| match value {
            Value::Int(_) | Value::Bool(_) => value.shown().unwrap_or_default(),
            _ => value.sql(),
        };
        match self {
            Self::Column(column) => name(column),
            Self::Equal(column, value) => format!("{} = {}", name(column), bare(value)),
            Self::Unequal(column, value) => format!("{} <> {}", name(column), bare(value)),
            Self::Less(column, bound) => format!("{} < {bound}", name(column)),
            Self::In(column, list) => {
                let list: Vec<_> = list.iter().map(bare).collect();
                format!("{} IN ({})", name(column), list.join(", "))
            }
            Self::IsNull(column) => format!("{} IS NULL", name(column)),
            Self::IsNotNull(column) => format!("{} IS NOT NULL", name(column)),
            Self::IsTrue(column) => format!("{} IS TRUE", name(column)),
            Self::IsNotTrue(column) => format!("{} IS NOT TRUE", name(column)),
            Self::And(left, right) => format!("({}) AND ({})", left.sql(), right.sql()),
            Self::Or(left, right) => format!("({}) OR ({})", left.sql(), right.sql()),
            Self::Not(inner) => format!("NOT ({})", inner.sql()),
        }
    }
}

/// Quoted only where SQL needs it, as a person would write it.
fn name(column: &str) -> String {
    if column.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
        column.to_owned()
    } else {
        format!("\"{column}\"")
    }
}

fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        _ => None,
    }
}

fn equal(left: &Value, right: &Value) -> Option<bool> {
    if *left == Value::Null || *right == Value::Null {
        None
    } else {
        Some(left == right)
    }
}

/// Kleene's disjunction.
fn or(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    }
}
