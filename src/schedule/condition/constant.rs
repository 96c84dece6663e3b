//! Constants and the types that are cast to: each in one form only.

use sqlparser::ast::{DataType, ExactNumberInfo, TimezoneInfo, Value};

use super::tree::{Tree, Type};
use super::{ConditionError, Walked};
use crate::schedule::diagnostics::Code;

/// Words that PostgreSQL reads as a date of today, in any constant that it has to
/// understand as a date: `closed_at < 'now'` reads the clock.
const CLOCK_WORDS: [&str; 4] = ["now", "today", "tomorrow", "yesterday"];

pub(super) fn constant(value: &Value) -> Walked<Tree> {
    match value {
        Value::Number(number, false) => number_constant(number),
        Value::SingleQuotedString(_) => text_constant(value),
        Value::Boolean(value) => Ok(Tree::Boolean(*value)),
        Value::Null => Ok(Tree::Null),
        _ => Err(ConditionError::new(
            Code::ConditionLiteral,
            "a constant of this form is not allowed in a condition",
        )),
    }
}

pub(super) fn without_nul(text: &str) -> Walked<String> {
    if text.contains('\0') {
        return Err(ConditionError::new(
            Code::ConditionLiteral,
            "a text constant must not hold a NUL character",
        ));
    }
    Ok(text.to_owned())
}

pub(super) fn text_constant(value: &Value) -> Walked<Tree> {
    let Value::SingleQuotedString(text) = value else {
        return Err(ConditionError::new(
            Code::ConditionLiteral,
            "a constant of this form is not allowed in a condition",
        ));
    };
    let word = text
        // PostgreSQL reads `today12:00` and even `now_`, so that only letters join.
        .split(|c: char| !c.is_alphabetic())
        .find(|word| {
            CLOCK_WORDS
                .iter()
                .any(|clock| word.eq_ignore_ascii_case(clock))
        });
    if let Some(word) = word {
        return Err(ConditionError::new(
            Code::ConditionClock,
            format!(
                "'{text}' has the word `{word}`, which PostgreSQL may read from the clock as a date"
            ),
        )
        .with_hint(format!("if the text itself is meant, write LIKE '{text}'")));
    }
    Ok(Tree::Text(without_nul(text)?))
}

/// `12`, `1.5`, `.5`, `2e10`.
pub(super) fn number_constant(number: &str) -> Walked<Tree> {
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (number, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let whole = match mantissa.split_once('.') {
        None => digits(mantissa),
        Some((before, after)) => (before.is_empty() || digits(before)) && digits(after),
    };
    let signless = |text: &str| text.strip_prefix(['+', '-']).unwrap_or(text).to_owned();
    if whole && exponent.is_none_or(|exponent| digits(&signless(exponent))) {
        Ok(Tree::Number(number.to_owned()))
    } else {
        Err(ConditionError::new(
            Code::ConditionLiteral,
            format!("`{number}` is not a plain number"),
        ))
    }
}

pub(super) fn type_of(data_type: &DataType) -> Walked<Type> {
    match data_type {
        DataType::Text => Ok(Type::Text),
        DataType::Int(None) | DataType::Integer(None) | DataType::Int4(None) => Ok(Type::Integer),
        DataType::BigInt(None) | DataType::Int8(None) => Ok(Type::Bigint),
        DataType::Numeric(ExactNumberInfo::None) | DataType::Decimal(ExactNumberInfo::None) => {
            Ok(Type::Numeric)
        }
        DataType::Boolean | DataType::Bool => Ok(Type::Boolean),
        DataType::Date => Ok(Type::Date),
        DataType::Timestamp(None, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            Ok(Type::Timestamp)
        }
        DataType::Timestamp(None, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone) => {
            Ok(Type::Timestamptz)
        }
        DataType::Uuid => Ok(Type::Uuid),
        other => Err(ConditionError::new(
            Code::ConditionCast,
            format!("a cast to `{other}` is not allowed in a condition"),
        )
        .with_hint(
            "allowed are text, integer, bigint, numeric, boolean, date, timestamp, timestamptz and uuid",
        )),
    }
}

/// A date or an instant that no setting of the session can turn round.
pub(super) fn is_iso_date(text: &str) -> bool {
    use chrono::{DateTime, NaiveDate, NaiveDateTime};
    let shape = text.bytes().take(4).filter(u8::is_ascii_digit).count() == 4
        && text.as_bytes().get(4) == Some(&b'-')
        && !text.ends_with(char::is_whitespace);
    let naive = [
        "%Y-%m-%d %H:%M",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M:%S%.f",
    ];
    let zoned = [
        "%Y-%m-%d %H:%M:%S%.f%#z",
        "%Y-%m-%dT%H:%M:%S%.f%#z",
        "%Y-%m-%d %H:%M%#z",
    ];
    matches!(text, "infinity" | "-infinity")
        || shape
            && (NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
                || naive
                    .iter()
                    .any(|form| NaiveDateTime::parse_from_str(text, form).is_ok())
                || zoned
                    .iter()
                    .any(|form| DateTime::parse_from_str(text, form).is_ok()))
}
