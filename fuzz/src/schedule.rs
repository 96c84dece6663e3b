//! A schedule file.
#![no_main]

#[allow(dead_code)]
#[path = "../../tests/parsers/oracle.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        oracle::schedule(text);
    }
});
