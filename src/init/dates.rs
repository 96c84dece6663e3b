//! Which date of a table a period might be counted from.
//!
//! Retention counts from an event, best of all from the end of a matter. So dates are put in
//! the order: when it ended, when it was last used, when it happened, when it was made, when it
//! was last changed. A day of birth, a deadline or a failed attempt is none of these.

use crate::catalog::{Column, ForeignKey, Sort, Table};
use crate::ident::Ident;
use crate::personal::words;

/// What a date seems to mean, the best to count from first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Meaning {
    /// A matter was closed, a contract ended, something expired.
    Ended,
    /// Somebody last used it.
    Used,
    /// It happened, was received, sent or signed.
    Happened,
    /// The record was made.
    Made,
    /// The record was last changed.
    Changed,
    /// The name does not say.
    Unclear,
}

impl Meaning {
    /// In words, for the middle of a sentence.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Ended => "when it ended",
            Self::Used => "when it was last used",
            Self::Happened => "when it happened",
            Self::Made => "when it was made or begun",
            Self::Changed => "when it was last changed",
            Self::Unclear => "its name does not say what it means",
        }
    }
}

/// A date that a period might be counted from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Date {
    /// The column.
    pub column: Ident,
    /// What it seems to mean.
    pub meaning: Meaning,
    /// Whether it may be NULL: such records are never due.
    pub nullable: bool,
    /// Whether it is a timestamp without a zone.
    pub naive: bool,
}

/// The dates of a table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dates {
    /// Those to count from, the likeliest first.
    pub ranked: Vec<Date>,
    /// Those that a period should not be counted from, with the reason.
    pub unsuited: Vec<(Ident, &'static str)>,
    /// Whole numbers that look like seconds since 1970.
    pub epochs: Vec<Ident>,
}

const ENDED: &[&str] = &[
    "closed",
    "resolved",
    "completed",
    "finished",
    "concluded",
    "settled",
    "ended",
    "end",
    "discharged",
    "terminated",
    "decided",
    "left",
    "leaving",
    "cancelled",
    "canceled",
    "withdrawn",
    "archived",
    "deactivated",
    "disabled",
    "deleted",
    "closes",
    "closing",
    "completion",
    "until",
    "till",
    "expired",
    "expires",
    "expiry",
    "expiration",
];
const USED: &[&str] = &[
    "login", "logon", "seen", "access", "accessed", "used", "active", "activity", "visit",
    "contact",
];
const HAPPENED: &[&str] = &[
    "received",
    "sent",
    "submitted",
    "captured",
    "taken",
    "signed",
    "held",
    "attempted",
    "occurred",
    "happened",
    "recorded",
    "visited",
    "issued",
    "filed",
    "ordered",
    "paid",
    "written",
    "called",
    "incident",
    "posted",
    "published",
    "delivered",
    "dispatched",
    "uploaded",
    "reported",
    "logged",
];
const MADE: &[&str] = &[
    "created",
    "create",
    "creation",
    "registered",
    "registration",
    "added",
    "inserted",
    "entered",
    "joined",
    "recruited",
    "opened",
    "started",
    "start",
    "began",
    "admitted",
    "hired",
    "enrolled",
    "subscribed",
    "imported",
    "made",
    "since",
];
const CHANGED: &[&str] = &[
    "updated",
    "update",
    "modified",
    "modification",
    "changed",
    "change",
    "edited",
    "touched",
    "mtime",
];
const PLANNED: &[&str] = &[
    "due",
    "deadline",
    "starts",
    "planned",
    "scheduled",
    "schedule",
    "next",
    "remind",
    "reminder",
    "appointment",
    "renewal",
    "review",
];

/// Looks through a table's columns.
pub(super) fn dates<'a>(table: &Table, outbound: impl Iterator<Item = &'a ForeignKey>) -> Dates {
    let referring: Vec<&Ident> = outbound.flat_map(|key| &key.from_columns).collect();
    let mut dates = Dates::default();
    for column in &table.columns {
        let words = words(column.name.as_str());
        let w: Vec<&str> = words.iter().map(String::as_str).collect();
        match column.sort {
            Sort::Date | Sort::Timestamp | Sort::TimestampTz => match meaning(&w) {
                Ok(meaning) => dates.ranked.push(Date {
                    column: column.name.clone(),
                    meaning,
                    nullable: !column.not_null,
                    naive: column.sort == Sort::Timestamp,
                }),
                Err(reason) => dates.unsuited.push((column.name.clone(), reason)),
            },
            Sort::Integer if is_epoch(column, &w) && !referring.contains(&&column.name) => {
                dates.epochs.push(column.name.clone());
            }
            _ => {}
        }
    }
    let rank = |date: &Date| {
        let list: &[&str] = if date.meaning == Meaning::Ended {
            ENDED
        } else {
            &[]
        };
        let words = words(date.column.as_str());
        // `closed_at` before `expires_at`.
        let nth = list
            .iter()
            .position(|known| words.iter().any(|word| word == known))
            .unwrap_or(list.len());
        (date.meaning, nth)
    };
    // Stable: otherwise the table's order.
    dates.ranked.sort_by_key(rank);
    dates
}

fn meaning(w: &[&str]) -> Result<Meaning, &'static str> {
    let any = |list: &[&str]| w.iter().any(|word| list.contains(word));
    if any(&["birth", "dob", "birthday", "birthdate", "born"]) {
        return Err("a date of birth");
    }
    if any(&["failed", "failure", "locked"]) {
        return Err("an attempt that failed");
    }
    if any(&["consent"]) {
        return Err("a consent, which a period is not counted from");
    }
    if any(PLANNED) {
        return Err("something planned");
    }
    Ok(if any(&["last"]) && any(USED) || matches!(w, ["login"]) {
        Meaning::Used
    } else if any(ENDED) {
        Meaning::Ended
    } else if any(HAPPENED) || matches!(w, ["date" | "time" | "timestamp" | "day"]) {
        Meaning::Happened
    } else if any(MADE) {
        Meaning::Made
    } else if any(CHANGED) {
        Meaning::Changed
    } else {
        Meaning::Unclear
    })
}

/// A number with the name of a moment. A `smallint` holds none, and `created_by` is a person.
fn is_epoch(column: &Column, w: &[&str]) -> bool {
    let Some(last) = w.last() else { return false };
    let moment = [
        "clock",
        "timestamp",
        "mtime",
        "ctime",
        "atime",
        "epoch",
        "since",
        "till",
        "until",
        "at",
        "date",
    ];
    let done = [
        "created", "changed", "updated", "modified", "expires", "deleted", "closed", "access",
        "change", "login", "seen",
    ];
    let timed = w.len() > 1
        && *last == "time"
        && ["event", "created", "update", "modify", "write"].contains(&w[w.len() - 2]);
    let named = moment.contains(last) && (w.len() > 1 || !["at", "date", "since"].contains(last))
        || w.len() == 1 && done.contains(last)
        || w.first() == Some(&"last") && done.contains(last)
        || timed;
    named && matches!(column.type_name.as_str(), "integer" | "bigint")
}

#[cfg(test)]
mod tests {
    use super::{Meaning, meaning};
    use crate::personal::words;

    fn of(name: &str) -> Result<Meaning, &'static str> {
        let words = words(name);
        meaning(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    #[test]
    fn names_of_dates_say_what_they_mean() {
        let known: [(Meaning, &[&str]); 6] = [
            (
                Meaning::Ended,
                &[
                    "closed_at",
                    "closedAt",
                    "resolved",
                    "closes_on",
                    "end_date",
                    "decided_on",
                    "expires",
                    "valid_until",
                    "deleted_at",
                ],
            ),
            (
                Meaning::Used,
                &[
                    "last_login",
                    "lastlogin",
                    "lastused",
                    "last_seen_at",
                    "lastAccess",
                ],
            ),
            (
                Meaning::Happened,
                &[
                    "received_at",
                    "sent_on",
                    "captured_at",
                    "held_on",
                    "date",
                    "attempted_on",
                ],
            ),
            (
                Meaning::Made,
                &[
                    "created",
                    "createdAt",
                    "created_at",
                    "started",
                    "opened_at",
                    "added_on",
                    "recruited_on",
                ],
            ),
            (
                Meaning::Changed,
                &["changed", "lastupdated", "updated_at", "modifiedOn"],
            ),
            (Meaning::Unclear, &["told", "effective_on", "x"]),
        ];
        for (meaning, names) in known {
            for name in names {
                assert_eq!(of(name), Ok(meaning), "{name}");
            }
        }
    }

    #[test]
    fn some_dates_are_not_to_be_counted_from() {
        for name in [
            "date_of_birth",
            "dob",
            "due",
            "starts",
            "next_check_at",
            "failed_login",
            "consent_withdrawn_at",
            "scheduled_for",
        ] {
            assert!(of(name).is_err(), "{name}");
        }
    }

    #[test]
    fn the_end_of_a_matter_comes_first() {
        assert!(Meaning::Ended < Meaning::Used && Meaning::Used < Meaning::Happened);
        assert!(Meaning::Happened < Meaning::Made && Meaning::Made < Meaning::Changed);
        assert!(Meaning::Changed < Meaning::Unclear);
    }
}
