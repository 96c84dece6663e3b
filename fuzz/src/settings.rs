//! A settings file.
#![no_main]

#[allow(dead_code)]
#[path = "../../tests/parsers/oracle.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let path = std::env::temp_dir().join(format!("retentiond-fuzz-{}", std::process::id()));
    oracle::settings_file(bytes, &path);
});
