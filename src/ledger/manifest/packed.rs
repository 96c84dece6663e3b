//! How one record becomes the fewest bytes, and back, from the record before it.
//!
//! Rows arrive nearly in the order of their triggers, so that differences are small;
//! and within a class the last day follows from the trigger, so that it is written
//! only where the distance between the two changes.

use std::borrow::Cow;

use super::super::key::{KeyColumns, KeyKind, KeyValue};
use super::super::wire::{Reader, put_bytes, put_varint, unzigzag, zigzag};
use super::{LONGEST_TEXT, ManifestError};

/// How much of a text may be taken from the one before it. Bounds what a few hostile
/// bytes can unfold into.
const MOST_SHARED: usize = 255;

/// Each value's predecessor: 0, or the empty text, before the first record.
pub(super) fn first_values(columns: &KeyColumns) -> Vec<KeyValue<'static>> {
    let first = |kind| match kind {
        KeyKind::Int => KeyValue::Int(0),
        KeyKind::Text => KeyValue::Text(Cow::Owned(String::new())),
    };
    columns.as_slice().iter().map(|c| first(c.kind)).collect()
}

/// Packs `key`, and makes it the predecessor. The kinds must be those of `previous`,
/// and no text longer than [`LONGEST_TEXT`].
pub(super) fn put_key(
    out: &mut Vec<u8>,
    previous: &mut [KeyValue<'static>],
    key: &[KeyValue<'_>],
) -> Result<(), ManifestError> {
    for (previous, value) in previous.iter_mut().zip(key) {
        match (previous, value) {
            (KeyValue::Int(previous), KeyValue::Int(value)) => {
                put_varint(out, zigzag(value.wrapping_sub(*previous)));
                *previous = *value;
            }
            (KeyValue::Text(previous), KeyValue::Text(value)) => {
                put_text(out, previous.as_bytes(), value);
                let previous = previous.to_mut();
                previous.clear();
                previous.push_str(value);
            }
            _ => return Err(ManifestError::Key),
        }
    }
    Ok(())
}

fn put_text(out: &mut Vec<u8>, previous: &[u8], value: &str) {
    // The children of one parent repeat its key: that is shorter than 16 bytes.
    if let Some(uuid) = uuid(value).filter(|_| previous != value.as_bytes()) {
        out.push(0);
        out.extend_from_slice(&uuid);
        return;
    }
    let shared = shared(previous, value.as_bytes());
    put_varint(out, shared as u64 + 1);
    put_bytes(out, &value.as_bytes()[shared..]);
}

fn shared(previous: &[u8], value: &[u8]) -> usize {
    previous
        .iter()
        .zip(value)
        .take(MOST_SHARED)
        .take_while(|(a, b)| a == b)
        .count()
}

/// Reads the values of the next key over those of the one before it.
pub(super) fn read_key(
    reader: &mut Reader<'_>,
    values: &mut [KeyValue<'static>],
) -> Result<(), ManifestError> {
    for value in values {
        match value {
            KeyValue::Int(number) => {
                *number = number.wrapping_add(unzigzag(reader.varint()?));
            }
            KeyValue::Text(text) => {
                let previous = std::mem::take(text).into_owned();
                *text = Cow::Owned(read_text(reader, previous)?);
            }
        }
    }
    Ok(())
}

fn read_text(reader: &mut Reader<'_>, previous: String) -> Result<String, ManifestError> {
    let shared_plus_one = reader.varint()?;
    if shared_plus_one == 0 {
        let text = uuid_text(reader.take(16)?);
        return if text == previous {
            Err(ManifestError::Spelling)
        } else {
            Ok(text)
        };
    }
    let taken = usize::try_from(shared_plus_one - 1).map_err(|_| ManifestError::Spelling)?;
    let rest = reader.bytes()?;
    let mut bytes = previous.into_bytes();
    if taken > MOST_SHARED || taken > bytes.len() || taken + rest.len() > LONGEST_TEXT {
        return Err(ManifestError::Spelling);
    }
    // More could have been shared.
    let same = bytes.get(taken).is_some_and(|b| rest.first() == Some(b));
    if same && taken < MOST_SHARED {
        return Err(ManifestError::Spelling);
    }
    let repeated = taken == bytes.len() && rest.is_empty();
    bytes.truncate(taken);
    bytes.extend_from_slice(rest);
    let text = String::from_utf8(bytes).map_err(|_| ManifestError::Spelling)?;
    if !repeated && uuid(&text).is_some() {
        return Err(ManifestError::Spelling);
    }
    Ok(text)
}

fn uuid_text(uuid: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (i, byte) in uuid.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(char::from(HEX[usize::from(byte >> 4)]));
        text.push(char::from(HEX[usize::from(byte & 15)]));
    }
    text
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The 16 bytes of a text that is spelled as PostgreSQL prints a `uuid`.
fn uuid(text: &str) -> Option<[u8; 16]> {
    let text = text.as_bytes();
    if text.len() != 36 {
        return None;
    }
    let mut uuid = [0; 16];
    let mut digits = 0;
    for (i, byte) in text.iter().enumerate() {
        if matches!(i, 8 | 13 | 18 | 23) {
            if *byte != b'-' {
                return None;
            }
            continue;
        }
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        uuid[digits / 2] = uuid[digits / 2] << 4 | digit;
        digits += 1;
    }
    Some(uuid)
}

/// What the days of the next record are measured from.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Days {
    /// The last trigger there was.
    trigger: i64,
    /// From trigger to last day, in the last record with a trigger.
    distance: Option<i64>,
}

impl Days {
    /// Writes one number: bit 0 says that the last day follows; above it stands 0 for
    /// no trigger, else 1 + the zigzag of the distance from the trigger before.
    pub(super) fn put(&mut self, out: &mut Vec<u8>, trigger: Option<i32>, last_day: Option<i32>) {
        let trigger = trigger.map(i64::from);
        let last_day = last_day.map(i64::from);
        let expected = self.expected(trigger);
        let days = trigger.map_or(0, |day| 1 + zigzag(day - self.trigger));
        put_varint(out, days << 1 | u64::from(last_day != expected));
        if last_day != expected {
            let from = expected.or(trigger).unwrap_or(0);
            put_varint(out, last_day.map_or(0, |day| 1 + zigzag(day - from)));
        }
        self.remember(trigger, last_day);
    }

    /// Reads what [`Self::put`] wrote: trigger, last day.
    pub(super) fn read(
        &mut self,
        reader: &mut Reader<'_>,
    ) -> Result<(Option<i32>, Option<i32>), ManifestError> {
        let head = reader.varint()?;
        let trigger = match head >> 1 {
            0 => None,
            days => Some(day(self.trigger, days)?),
        };
        let expected = self.expected(trigger.map(i64::from));
        let last_day = if head & 1 == 0 {
            expected
                .map(|day| i32::try_from(day).map_err(|_| ManifestError::Spelling))
                .transpose()?
        } else {
            let from = expected.or(trigger.map(i64::from)).unwrap_or(0);
            let last_day = match reader.varint()? {
                0 => None,
                days => Some(day(from, days)?),
            };
            if last_day.map(i64::from) == expected {
                return Err(ManifestError::Spelling);
            }
            last_day
        };
        self.remember(trigger.map(i64::from), last_day.map(i64::from));
        Ok((trigger, last_day))
    }

    /// The last day as far as it follows from the records before.
    fn expected(&self, trigger: Option<i64>) -> Option<i64> {
        Some(trigger? + self.distance?)
    }

    fn remember(&mut self, trigger: Option<i64>, last_day: Option<i64>) {
        if let Some(trigger) = trigger {
            self.trigger = trigger;
            self.distance = last_day.map(|day| day - trigger);
        }
    }
}

fn day(from: i64, zigzag_plus_one: u64) -> Result<i32, ManifestError> {
    from.checked_add(unzigzag(zigzag_plus_one - 1))
        .and_then(|day| i32::try_from(day).ok())
        .ok_or(ManifestError::Spelling)
}
