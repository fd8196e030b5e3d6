//! Any text gives statements or mistakes.
#![no_main]

use flowline::sql::{SourceFile, parse_script};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = parse_script(&SourceFile::new("fuzz.sql", text));
});
