//! What HubSpot or Salesforce answers, as their clients read it.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mapwright_fuzz::answers(data));
