//! An entry of the ledger.
#![no_main]

#[allow(dead_code)]
#[path = "../../tests/parsers/oracle.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    oracle::entry(bytes);
});
