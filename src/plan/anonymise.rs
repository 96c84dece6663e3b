//! The column strategies as SQL: what is written, and how to tell that it was.
//!
//! Every strategy is idempotent and reads nothing but its own column, so that a row shows
//! by its values whether it was anonymised. All expressions are immutable functions of the
//! column.

use chrono_tz::Tz;

use crate::catalog::Sort;
use crate::ident::literal;
use crate::schedule::Strategy;

const FULL_POSTCODE: &str = r"^\s*([A-Za-z]{1,2}[0-9][0-9A-Za-z]?)\s*[0-9][A-Za-z]{2}\s*$";
const OUTWARD_POSTCODE: &str = "^[A-Z]{1,2}[0-9][0-9A-Z]?$";
const ANY_OUTWARD_POSTCODE: &str = r"^\s*[A-Za-z]{1,2}[0-9][0-9A-Za-z]?\s*$";
const PSEUDONYM: &str = "^px-[0-9a-f]{64}$";

/// What an anonymised column is set to. `bare` is the column; `$pads` are the pseudonym
/// key's two pads (RFC 2104), bound and never written. Every one is idempotent. Only
/// [`Strategy::Remove`] has paths, and all of a column are removed together.
pub(super) fn anonymised(
    strategy: Strategy,
    bare: &str,
    sort: Sort,
    paths: &[&[String]],
    zone: Tz,
    pads: (usize, usize),
) -> String {
    match strategy {
        Strategy::Null => "NULL".to_owned(),
        Strategy::Redact => format!("CASE WHEN {bare} IS NOT NULL THEN '[redacted]' END"),
        // HMAC(K, m) = H((K ^ opad) || H((K ^ ipad) || m)).
        Strategy::Pseudonym => format!(
            "CASE WHEN {bare}::text ~ '{PSEUDONYM}' THEN {bare}::text WHEN {bare} IS NOT NULL THEN \
             'px-' || encode(sha256(${}::bytea || sha256(${}::bytea || convert_to({bare}::text, 'UTF8'))), 'hex') END",
            pads.1, pads.0
        ),
        Strategy::Year => truncated("year", bare, sort, zone),
        Strategy::Month => truncated("month", bare, sort, zone),
        // What is no British postcode cannot be made coarser, so it goes altogether.
        Strategy::Area => format!(
            "CASE WHEN {bare}::text ~ '{ANY_OUTWARD_POSTCODE}' THEN upper(btrim({bare}::text)) \
             WHEN {bare}::text ~ '{FULL_POSTCODE}' THEN upper(substring({bare}::text FROM '{FULL_POSTCODE}')) \
             WHEN {bare} IS NOT NULL THEN '' END"
        ),
        Strategy::Remove => removed(bare, sort, paths),
    }
}

/// A JSON column without these paths. Only an object has keys: PostgreSQL raises an error
/// where a path leads into a scalar, or by a name into an array, and would take a number
/// for an index and shift what follows.
fn removed(bare: &str, sort: Sort, paths: &[&[String]]) -> String {
    let (binary, back) = if sort == Sort::Json {
        (format!("{bare}::jsonb"), "::json")
    } else {
        (bare.to_owned(), "")
    };
    let minus: String = paths
        .iter()
        .map(|path| {
            let there = holds(&binary, path);
            format!(
                " #- CASE WHEN {there} THEN {} ELSE '{{}}' END::text[]",
                literal(&json_path(path))
            )
        })
        .collect();
    let any: Vec<String> = paths.iter().map(|path| holds(&binary, path)).collect();
    format!(
        "CASE WHEN {} THEN ({binary}{minus}){back} ELSE {bare} END",
        any.join(" OR ")
    )
}

/// The path leads to a key of an object. Never NULL.
fn holds(binary: &str, path: &[String]) -> String {
    let (above, here) = path.split_at(path.len().saturating_sub(1));
    let parent = if above.is_empty() {
        format!("({binary})")
    } else {
        format!("({binary} #> {})", literal(&json_path(above)))
    };
    let key = literal(here.first().map_or("", String::as_str));
    format!("(jsonb_typeof({parent}) = 'object' AND {parent} ? {key}) IS TRUE")
}

/// The column already holds what [`anonymised`] would write.
pub(super) fn is_anonymised(
    strategy: Strategy,
    bare: &str,
    sort: Sort,
    path: &[String],
    zone: Tz,
) -> String {
    match strategy {
        Strategy::Null => format!("{bare} IS NULL"),
        Strategy::Redact => format!("({bare} = '[redacted]') IS NOT FALSE"),
        Strategy::Pseudonym => format!("({bare}::text ~ '{PSEUDONYM}') IS NOT FALSE"),
        Strategy::Year => format!(
            "({bare} = {}) IS NOT FALSE",
            truncated("year", bare, sort, zone)
        ),
        Strategy::Month => format!(
            "({bare} = {}) IS NOT FALSE",
            truncated("month", bare, sort, zone)
        ),
        Strategy::Area => {
            format!("({bare}::text ~ '{OUTWARD_POSTCODE}' OR {bare}::text = '') IS NOT FALSE")
        }
        Strategy::Remove => {
            let binary = if sort == Sort::Json {
                format!("{bare}::jsonb")
            } else {
                bare.to_owned()
            };
            format!("NOT ({})", holds(&binary, path))
        }
    }
}

/// Immutable for every sort: `date_trunc` on a date would go through the session's zone.
fn truncated(unit: &str, bare: &str, sort: Sort, zone: Tz) -> String {
    match sort {
        Sort::TimestampTz => {
            let zone = literal(zone.name());
            format!("date_trunc('{unit}', {bare} AT TIME ZONE {zone}) AT TIME ZONE {zone}")
        }
        Sort::Timestamp => format!("date_trunc('{unit}', {bare})"),
        // A date can lie beyond every timestamp, and one such row must not blind a count.
        // Nobody was born in the year 10000.
        _ => format!(
            "CASE WHEN {bare} < DATE '9999-12-31' THEN date_trunc('{unit}', {bare}::timestamp)::date ELSE {bare} END"
        ),
    }
}

/// A PostgreSQL array constant of the keys on the way.
fn json_path(path: &[String]) -> String {
    let parts: Vec<String> = path
        .iter()
        .map(|part| format!("\"{}\"", part.replace('\\', "\\\\").replace('"', "\\\"")))
        .collect();
    format!("{{{}}}", parts.join(","))
}
