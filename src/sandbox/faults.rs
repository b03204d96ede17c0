//! The file of faults for both servers, in YAML or JSON.
//!
//! ```yaml
//! faults:
//!   - answer: hubspot.ten_secondly_limit      # a named answer of HubSpot
//!     operation: hubspot.batch_read           # to these requests
//!     times: 2                                # twice
//!   - answer: salesforce.unable_to_lock_row
//!     record: {object: Lead, contains: Doe}   # only rows that contain this
//!   - side: salesforce
//!     method: PATCH
//!     path: /composite/sobjects/
//!     answer: reset                           # of the line, so either side has it
//!     moment: after                           # the write took place
//! ```
//!
//! What is wrong is told with file, line, and what to write. The names of answers and operations are those of
//! [`crate::sandbox::hubspot`] and [`crate::sandbox::salesforce`].

use std::collections::HashMap;
use std::fmt;

use saphyr_parser::{Event, Parser};
use serde::Deserialize;

use crate::sandbox::core::{Fault, Side};
use crate::sandbox::seed::Seed;
use crate::sandbox::{hubspot, salesforce};

/// A file that is larger than this is refused, in bytes.
const LARGEST: usize = 4 * 1024 * 1024;

/// The faults of a file, by server.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FaultSet {
    /// Those of the HubSpot server.
    pub hubspot: Vec<Fault>,
    /// Those of the Salesforce server.
    pub salesforce: Vec<Fault>,
}

/// Why a file of faults cannot be used, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultsError {
    /// The place: `faults.yaml:12 (faults[3].answer)`.
    pub place: String,
    /// What is wrong there, and what to write instead.
    pub message: String,
}

impl fmt::Display for FaultsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

impl std::error::Error for FaultsError {}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    faults: Vec<Fault>,
}

impl FaultSet {
    /// Reads a file; `name` is its name in errors, and the seed may define objects that faults are for.
    pub fn parse(text: &str, name: &str, seed: &Seed) -> Result<Self, FaultsError> {
        let whole = |message: String| FaultsError { place: name.to_owned(), message };
        if text.len() > LARGEST {
            return Err(whole(format!("the file is larger than {LARGEST} bytes")));
        }
        if text.trim().is_empty() {
            return Err(whole("the file is empty; write `faults:` and a list of faults under it".to_owned()));
        }
        let parser = serde_yaml::Deserializer::from_str(text);
        let file: File = serde_path_to_error::deserialize(parser).map_err(|error| {
            let path = error.path().to_string();
            let inner = error.into_inner();
            // The reader tells the line of the fault; the walk knows that of the key.
            let line = lines(text)
                .get(&path)
                .copied()
                .or_else(|| inner.location().as_ref().map(serde_yaml::Location::line));
            let line = line.map_or(String::new(), |line| format!(":{line}"));
            let message = inner.to_string();
            let message = message.split(" at line ").next().unwrap_or_default();
            let message = message.split_once("]: ").map_or(message, |(_, rest)| rest).to_owned();
            let path = if path == "." { String::new() } else { format!(" ({path})") };
            FaultsError { place: format!("{name}{line}{path}"), message }
        })?;
        let mut set = Self::default();
        for (index, fault) in file.faults.into_iter().enumerate() {
            let (side, checked) = check(&fault, seed);
            if let Err((key, message)) = checked {
                return Err(FaultsError { place: place(text, name, index, key), message });
            }
            match side {
                Side::Hubspot => set.hubspot.push(fault),
                Side::Salesforce => set.salesforce.push(fault),
            }
        }
        Ok(set)
    }
}

/// The fault's side, and whether that server has all that it names.
fn check(fault: &Fault, seed: &Seed) -> (Side, Result<(), (&'static str, String)>) {
    match fault.side() {
        Some(Side::Hubspot) => (Side::Hubspot, hubspot::check_fault(fault, &seed.hubspot.own_objects())),
        Some(Side::Salesforce) => {
            (Side::Salesforce, salesforce::check_fault(fault, &seed.salesforce.own_objects()))
        }
        None => {
            let message = "for which server? Write `side: hubspot` or `side: salesforce`".to_owned();
            (Side::Hubspot, Err(("side", message)))
        }
    }
}

/// Where a key of a fault stands; where the fault stands, if it has no such key.
fn place(text: &str, name: &str, index: usize, key: &str) -> String {
    let lines = lines(text);
    let fault = format!("faults[{index}]");
    let path = format!("{fault}.{key}");
    let (path, line) = match lines.get(&path) {
        Some(line) => (path, Some(line)),
        None => (fault.clone(), lines.get(&fault)),
    };
    match line {
        Some(line) => format!("{name}:{line} ({path})"),
        None => format!("{name} ({path})"),
    }
}

/// What a walk is inside of.
enum Level {
    List(usize),
    /// A map, and its key whose value comes next.
    Map(Option<String>),
}

/// The line on which each value of a file stands, by its path (`faults[3].answer`).
fn lines(text: &str) -> HashMap<String, usize> {
    let mut lines = HashMap::new();
    let mut levels: Vec<Level> = Vec::new();
    for event in Parser::new_from_str(text) {
        let Ok((event, span)) = event else { break };
        let (scalar, opens) = match event {
            Event::Scalar(text, ..) => (Some(text.into_owned()), None),
            Event::SequenceStart(..) => (None, Some(Level::List(0))),
            Event::MappingStart(..) => (None, Some(Level::Map(None))),
            Event::SequenceEnd | Event::MappingEnd => {
                levels.pop();
                passed(&mut levels);
                continue;
            }
            Event::Alias(_) => (Some(String::new()), None),
            _ => continue,
        };
        if let (Some(Level::Map(key @ None)), Some(text)) = (levels.last_mut(), &scalar) {
            *key = Some(text.clone());
            continue;
        }
        lines.insert(path(&levels), span.start.line());
        match opens {
            Some(level) => levels.push(level),
            None => passed(&mut levels),
        }
    }
    lines
}

/// Steps over a value.
fn passed(levels: &mut [Level]) {
    match levels.last_mut() {
        Some(Level::List(index)) => *index += 1,
        Some(Level::Map(key)) => *key = None,
        None => {}
    }
}

fn path(levels: &[Level]) -> String {
    let mut path = String::new();
    for level in levels {
        match level {
            Level::List(index) => path.extend(["[", &index.to_string(), "]"]),
            Level::Map(key) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key.as_deref().unwrap_or_default());
            }
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::core::LINE_ANSWERS;

    #[test]
    fn every_name_is_documented() {
        let text = include_str!("../../docs/sandbox.md");
        let names = [
            LINE_ANSWERS,
            hubspot::ANSWERS,
            hubspot::OPERATIONS,
            salesforce::ANSWERS,
            salesforce::OPERATIONS,
        ];
        for name in names.into_iter().flatten() {
            assert!(text.contains(&format!("`{name}`")), "docs/sandbox.md: `{name}` is missing");
        }
        for name in LINE_ANSWERS {
            let fault =
                Fault { answer: Some((*name).to_owned()), side: Some(Side::Hubspot), ..Fault::default() };
            assert_eq!(check(&fault, &Seed::default()).1, Ok(()), "{name}");
        }
        let example =
            text.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
        let set = FaultSet::parse(example, "faults.yaml", &Seed::default()).expect("the example of the page");
        assert_eq!((set.hubspot.len(), set.salesforce.len()), (2, 2));
    }

    #[test]
    fn faults_go_to_their_servers() {
        let text = "
faults:
  - {answer: hubspot.expired_token, operation: hubspot.batch_read, times: 2}
  - {side: salesforce, answer: reset, moment: after, probability: 0.5, seed: 7}
  - {side: hubspot, status: 418, body: {teapot: true}, times: always}
";
        let set = FaultSet::parse(text, "faults.yaml", &Seed::default()).expect("faults");
        assert_eq!((set.hubspot.len(), set.salesforce.len()), (2, 1));
        assert_eq!(set.hubspot[1].status, Some(418));
        let json = r#"{"faults": [{"operation": "salesforce.query", "status": 500, "nth": 2}]}"#;
        assert_eq!(
            FaultSet::parse(json, "faults.json", &Seed::default()).expect("faults").salesforce[0].nth,
            Some(2)
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_line_and_remedy() {
        for (fault, line, words) in [
            ("status: 500", 3, "Write `side: hubspot` or"),
            ("answer: hubspot.expired_tokn", 3, "did you mean `expired_token`?"),
            ("side: hubspot\n    answer: duplicates_detected", 4, "there is no answer"),
            ("operation: hubspot.batch_reed", 3, "did you mean `batch_read`?"),
            ("operation: salesforce.query\n    answer: hubspot.locked", 4, "for hubspot"),
            ("side: hubspot\n    object: contcat", 4, "there is no object"),
            ("side: hubspot\n    times: often", 4, "write 1, 2"),
            ("side: hubspot\n    nth: 0", 4, "counted from 1"),
            ("side: hubspot\n    probability: 20", 4, "from 0 to 1"),
            ("side: hubspot\n    stattus: 500", 4, "stattus"),
            ("side: hubspot\n    answer: slow_body\n    moment: before", 5, "take away `moment`"),
            ("answer: hubspot.missing_scopes\n    with: {scoop: x}", 4, "it takes scopes"),
            ("side: hubspot\n    with: {scope: x}", 4, "add `answer: NAME`"),
        ] {
            let text = format!("# faults\nfaults:\n  - {fault}\n");
            let error = FaultSet::parse(&text, "faults.yaml", &Seed::default()).expect_err(fault);
            assert!(error.message.contains(words), "{fault}: {error}");
            assert!(error.place.starts_with(&format!("faults.yaml:{line} ")), "{fault}: {error}");
        }
        assert!(
            FaultSet::parse(" ", "f", &Seed::default())
                .expect_err("empty")
                .message
                .contains("write `faults:`")
        );
        assert!(FaultSet::parse("faults: [", "f", &Seed::default()).is_err());
    }
}
