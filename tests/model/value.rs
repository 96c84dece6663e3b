//! What a column holds, and how PostgreSQL writes it.

use std::fmt::Write as _;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeDelta, TimeZone};
use chrono_tz::{Europe::London, Tz};
use serde_json::Value as Json;

use super::calendar::Day;
use super::world::Strategy;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Date,
    /// `timestamptz`
    Instant,
    /// `timestamp`
    Naive,
    Bool,
    Text,
    Int,
    Uuid,
    Json,
}

impl Kind {
    pub fn sql(self) -> &'static str {
        match self {
            Self::Date => "date",
            Self::Instant => "timestamptz",
            Self::Naive => "timestamp",
            Self::Bool => "boolean",
            Self::Text => "text",
            Self::Int => "integer",
            Self::Uuid => "uuid",
            Self::Json => "jsonb",
        }
    }
}

/// A moment to the second, or one of PostgreSQL's two infinities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Before,
    At(NaiveDateTime),
    After,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i32),
    Text(String),
    Uuid(String),
    Date(Day),
    /// In UTC.
    Instant(Moment),
    /// On a wall: in London, or wherever the class's `trigger_zone` says.
    Naive(Moment),
    Json(Json),
}

impl Value {
    pub fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    pub fn on(date: NaiveDate) -> Self {
        Self::Date(Day::On(date))
    }

    /// The civil day in London, of a trigger column whose class has no `trigger_zone`.
    pub fn day(&self) -> Option<Day> {
        self.day_read(London)
    }

    /// The civil day in London; a naive moment is one of `zone`'s walls.
    pub fn day_read(&self, zone: Tz) -> Option<Day> {
        let (moment, utc) = match self {
            Self::Date(day) => return Some(*day),
            Self::Instant(moment) => (moment, true),
            Self::Naive(moment) => (moment, false),
            _ => return None,
        };
        Some(match moment {
            Moment::Before => Day::Before,
            Moment::After => Day::After,
            Moment::At(at) if utc => Day::On(London.from_utc_datetime(at).date_naive()),
            Moment::At(at) => Day::On(read(*at, zone).with_timezone(&London).date_naive()),
        })
    }

    /// As `column::text` shows it with `TimeZone = UTC` and ISO dates; JSON with sorted keys.
    pub fn shown(&self) -> Option<String> {
        let moment = |moment: &Moment, zone: &str| match moment {
            Moment::Before => "-infinity".to_owned(),
            Moment::After => "infinity".to_owned(),
            Moment::At(at) => format!("{}{zone}", at.format("%Y-%m-%d %H:%M:%S")),
        };
        Some(match self {
            Self::Null => return None,
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Text(text) | Self::Uuid(text) => text.clone(),
            Self::Date(Day::Before) => "-infinity".to_owned(),
            Self::Date(Day::After) => "infinity".to_owned(),
            // PostgreSQL writes no plus before the year 10000.
            Self::Date(Day::On(date)) => date.to_string().trim_start_matches('+').to_owned(),
            Self::Instant(at) => moment(at, "+00"),
            Self::Naive(at) => moment(at, ""),
            Self::Json(json) => canonical(json),
        })
    }

    /// A constant in a statement.
    pub fn sql(&self) -> String {
        match self.shown() {
            None => "NULL".to_owned(),
            Some(text) => format!("'{}'", text.replace('\'', "''")),
        }
    }
}

/// The instant at which a wall in the zone shows this. Of two in autumn the later, and of none
/// in spring the one before the clocks went forward, as PostgreSQL has it; the zones of these
/// worlds never do either at London's midnight, so that no day depends on it.
fn read(wall: NaiveDateTime, zone: Tz) -> DateTime<Tz> {
    let found = zone.from_local_datetime(&wall);
    found.latest().unwrap_or_else(|| {
        let earlier = zone.from_local_datetime(&(wall - TimeDelta::hours(3)));
        earlier.latest().expect("clocks change by less") + TimeDelta::hours(3)
    })
}

/// JSON with sorted keys, so that two spellings of one value are equal texts.
pub fn canonical(json: &Json) -> String {
    match json {
        Json::Object(map) => {
            let mut keys: Vec<_> = map.keys().collect();
            keys.sort();
            let mut out = String::from("{");
            for (position, key) in keys.into_iter().enumerate() {
                let comma = if position == 0 { "" } else { "," };
                let name = Json::String(key.clone());
                let _ = write!(out, "{comma}{name}:{}", canonical(&map[key]));
            }
            out + "}"
        }
        Json::Array(items) => {
            format!(
                "[{}]",
                items.iter().map(canonical).collect::<Vec<_>>().join(",")
            )
        }
        leaf => leaf.to_string(),
    }
}

/// What a column holds once it is anonymised. Every strategy is idempotent.
pub fn anonymised(value: &Value, path: &[String], strategy: Strategy) -> Value {
    match (strategy, value) {
        (Strategy::Null, _) | (_, Value::Null) => Value::Null,
        (Strategy::Redact, _) => Value::text("[redacted]"),
        (Strategy::Year, Value::Date(Day::On(date))) => Value::on(
            date.with_month(1)
                .and_then(|d| d.with_day(1))
                .expect("1 January"),
        ),
        (Strategy::Month, Value::Date(Day::On(date))) => {
            Value::on(date.with_day(1).expect("the first of a month"))
        }
        (Strategy::Area, Value::Text(text)) => {
            Value::text(text.split(' ').next().unwrap_or_default())
        }
        (Strategy::Remove, Value::Json(json)) => {
            let mut json = json.clone();
            remove(&mut json, path);
            Value::Json(json)
        }
        (strategy, value) => panic!("{strategy:?} is not for {value:?}"),
    }
}

fn remove(json: &mut Json, path: &[String]) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    let Json::Object(map) = json else { return };
    if rest.is_empty() {
        map.shift_remove(first);
    } else if let Some(inner) = map.get_mut(first) {
        remove(inner, rest);
    }
}
