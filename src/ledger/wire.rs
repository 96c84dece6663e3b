//! The few shapes that entries and manifests are written in: unsigned LEB128
//! numbers, zigzag for signed ones, and bytes with their length before them.
//!
//! Reading is strict: one value has one spelling, so that bytes which decode are
//! the bytes that encoding gives back. Nothing is allocated by a length that was
//! read; a slice of what is there is handed out, or an error.

/// Why bytes are not the shape that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The bytes end in the middle of a value.
    #[error("the bytes end too early")]
    Truncated,
    /// A number is longer than it needs to be, or than 64 bits.
    #[error("a number is not in its shortest form")]
    Number,
    /// A text is not UTF-8.
    #[error("a text is not UTF-8")]
    Text,
}

/// Appends `value` as unsigned LEB128, in its shortest form.
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends the length of `bytes` and then `bytes`.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// 0, -1, 1, -2, … to 0, 1, 2, 3, …, so that small differences stay short.
pub(super) fn zigzag(value: i64) -> u64 {
    ((value as u64) << 1) ^ ((value >> 63) as u64)
}

/// The inverse of [`zigzag`].
pub(super) fn unzigzag(value: u64) -> i64 {
    ((value >> 1) as i64) ^ -((value & 1) as i64)
}

/// Reads from the front of a slice.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn remaining(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn take(&mut self, length: u64) -> Result<&'a [u8], WireError> {
        let length = usize::try_from(length).map_err(|_| WireError::Truncated)?;
        let (head, tail) = self
            .rest
            .split_at_checked(length)
            .ok_or(WireError::Truncated)?;
        self.rest = tail;
        Ok(head)
    }

    pub(super) fn byte(&mut self) -> Result<u8, WireError> {
        let (&head, tail) = self.rest.split_first().ok_or(WireError::Truncated)?;
        self.rest = tail;
        Ok(head)
    }

    pub(super) fn varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit only.
            if shift == 63 && bits > 1 {
                return Err(WireError::Number);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                // A last group of zeros after another group could have been left out.
                return if bits == 0 && shift > 0 {
                    Err(WireError::Number)
                } else {
                    Ok(value)
                };
            }
        }
        Err(WireError::Number)
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], WireError> {
        let length = self.varint()?;
        self.take(length)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, WireError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| WireError::Text)
    }
}

/// Bytes as hexadecimal digits, in JSON.
pub(super) mod hexadecimal {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        hex::decode(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Hashes as hexadecimal digits, in JSON.
pub(super) mod hashes {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::super::merkle::Hash;

    pub fn serialize<S: Serializer>(hashes: &[Hash], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(hashes.iter().map(hex::encode))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Hash>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let hash = |text: &String| {
            let bytes = hex::decode(text).map_err(serde::de::Error::custom)?;
            Hash::try_from(bytes).map_err(|_| serde::de::Error::custom("not 32 bytes"))
        };
        texts.iter().map(hash).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_have_the_bytes_that_leb128_gives_them() {
        // 624485 is the example of the DWARF standard, appendix C.
        for (value, bytes) in [
            (0, &[0x00][..]),
            (127, &[0x7f]),
            (128, &[0x80, 0x01]),
            (624_485, &[0xe5, 0x8e, 0x26]),
            (u64::MAX, &[255, 255, 255, 255, 255, 255, 255, 255, 255, 1]),
        ] {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(out, bytes);
            assert_eq!(Reader::new(bytes).varint(), Ok(value));
        }
    }

    #[test]
    fn a_number_that_could_be_shorter_is_refused() {
        for bytes in [
            &[0x80, 0x00][..],
            &[0xff, 0x80, 0x00],
            &[255, 255, 255, 255, 255, 255, 255, 255, 255, 2],
            &[255; 11],
        ] {
            assert_eq!(Reader::new(bytes).varint(), Err(WireError::Number));
        }
        assert_eq!(Reader::new(&[0x80]).varint(), Err(WireError::Truncated));
    }

    #[test]
    fn a_length_beyond_the_end_is_refused_without_allocating() {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, u64::MAX);
        assert_eq!(Reader::new(&bytes).bytes(), Err(WireError::Truncated));
    }

    proptest! {
        #[test]
        fn every_number_comes_back(value: u64, signed: i64) {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            put_varint(&mut out, zigzag(signed));
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.varint().unwrap(), value);
            prop_assert_eq!(unzigzag(reader.varint().unwrap()), signed);
            prop_assert!(reader.is_empty());
        }
    }
}
