//! A tape of choices: a file that the grammar allows, or the shipped mappings with pieces changed.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mapwright_fuzz::tape(data));
