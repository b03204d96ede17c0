//! `mapwright eval`: source records in, target field values out; no CRM.

use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

use serde_json::{Map, Value as Json};

use super::args::EvalArgs;
use super::output::Output;
use super::{Exit, parts};
use crate::diagnostic::did_you_mean;
use crate::eval::{Offline, fields};
use crate::plan::{Mapping, Plan};
use crate::source::Side;
use crate::types::{Raw, to_json};

/// A record of either CRM is far smaller; a longer line is no NDJSON.
const MAX_LINE: usize = 4 * 1024 * 1024;

pub(super) fn run(given: Option<&Path>, options: &EvalArgs, output: Output) -> Exit {
    let project = match parts::checked(given, output) {
        Ok(project) => project,
        Err(exit) => return exit,
    };
    let Some(plan) = project.plan() else { return Exit::Findings };
    let Some(mapping) = plan.mapping(&options.mapping) else {
        unknown_mapping(&plan, &options.mapping, output);
        return Exit::Usage;
    };
    let input: Box<dyn Read> = match options.file.as_deref() {
        None => Box::new(std::io::stdin()),
        Some(path) if path == Path::new("-") => Box::new(std::io::stdin()),
        Some(path) => match std::fs::File::open(path) {
            Ok(file) => Box::new(file),
            Err(error) => {
                output.error(&format!("`{}` cannot be read: {error}", path.display()));
                return Exit::Usage;
            }
        },
    };
    if !mapping.lookups.is_empty() || mapping.related.iter().any(|related| related.need.is_some()) {
        output.note("eval reaches no CRM: look-ups and related records are blank");
    }
    let stdout = BufWriter::new(std::io::stdout().lock());
    Evaluation { plan: &plan, mapping, fail_fast: options.fail_fast, output }
        .all(BufReader::new(input), stdout)
}

/// Says that there is no such mapping, with the nearest one.
pub(super) fn unknown_mapping(plan: &Plan, name: &str, output: Output) {
    let names = || plan.mappings.iter().map(|mapping| mapping.name.as_str());
    let near = did_you_mean(name, names()).unwrap_or_else(|| {
        let all: Vec<String> = names().map(|name| format!("`{name}`")).collect();
        format!("the project has {}", if all.is_empty() { "none".to_owned() } else { all.join(", ") })
    });
    output.error(&format!("there is no mapping `{name}`; {near}"));
}

struct Evaluation<'e> {
    plan: &'e Plan,
    mapping: &'e Mapping,
    fail_fast: bool,
    output: Output,
}

impl Evaluation<'_> {
    fn all(&self, mut input: BufReader<Box<dyn Read>>, mut out: impl Write) -> Exit {
        let mut exit = Exit::Fine;
        let mut line = Vec::new();
        for number in 1_u64.. {
            line.clear();
            // Whoever writes a record and waits for its fields gets them before the next read waits.
            if input.buffer().is_empty() && out.flush().is_err() {
                return exit;
            }
            let bad = match read_line(&mut input, &mut line) {
                Ok(0) => break,
                Ok(_) if line.iter().all(u8::is_ascii_whitespace) => continue,
                Ok(length) if length > MAX_LINE => Err(format!("the line is longer than {MAX_LINE} bytes")),
                Ok(_) => self.one(if number == 1 { without_mark(&line) } else { &line }),
                Err(error) => {
                    self.output.error(&format!("line {number}: cannot be read: {error}"));
                    return Exit::Usage;
                }
            };
            match bad {
                Ok(Line::Fields(json)) => {
                    if serde_json::to_writer(&mut out, &json).is_err() || writeln!(out).is_err() {
                        // The reader has closed the pipe: it has what it wanted.
                        return exit;
                    }
                }
                Ok(Line::Refused(reason)) => self.output.note(&format!("line {number}: skipped: {reason}")),
                Ok(Line::Parked(why)) => {
                    self.output.complaint("parked", &format!("line {number}: {why}"));
                    exit = Exit::Findings;
                    if self.fail_fast {
                        break;
                    }
                }
                Err(why) => {
                    self.output.error(&format!("line {number}: {why}"));
                    exit = Exit::Findings;
                    if self.fail_fast {
                        break;
                    }
                }
            }
        }
        let _ = out.flush();
        exit
    }

    fn one(&self, line: &[u8]) -> Result<Line, String> {
        let json: Json = serde_json::from_slice(line).map_err(|error| {
            format!(
                "not a JSON object on one line: {}",
                error.to_string().replace(" at line 1 column ", " at column ")
            )
        })?;
        let Json::Object(object) = &json else { return Err("not a JSON object".to_owned()) };
        let values = self.values(object)?;
        let id = object.get("id").or_else(|| object.get("Id")).filter(|id| id.is_string() || id.is_number());
        if id.is_none() {
            let name = if self.mapping.source.side == Side::Hubspot { "id" } else { "Id" };
            return Err(format!("no `{name}`: a record without one is none that a CRM has"));
        }
        let number = id.and_then(Json::as_number).map(ToString::to_string);
        let slots: Vec<Raw<'_>> = self
            .mapping
            .slots
            .iter()
            .map(|slot| match (slot.of, slot.field.as_str(), &number) {
                (Some(_), ..) => Raw::Missing,
                // HubSpot's ids are text; a script that wrote a number meant the same.
                (None, "id", Some(number)) => Raw::Text(number.as_str().into()),
                (None, "id" | "Id", None) => Raw::from(id),
                (None, field, _) => Raw::from(values.get(field)),
            })
            .collect();
        match fields(self.plan, self.mapping, &slots) {
            Offline::Fields(fields) => Ok(Line::Fields(
                fields.iter().map(|(name, value)| ((*name).to_owned(), to_json(value))).collect(),
            )),
            Offline::Refused { guard, at } => {
                Ok(Line::Refused(format!("`only if {guard}` does not hold ({at})")))
            }
            Offline::Failed { field, failure, at } => {
                let field = field.map_or_else(String::new, |field| format!("`{field}`: "));
                let help = failure.help.map_or_else(String::new, |help| format!("; {help}"));
                Ok(Line::Parked(format!("{field}{} ({at}){help}", failure.message)))
            }
        }
    }

    /// The properties of a HubSpot answer stand under `properties`; a Salesforce record is flat.
    fn values<'j>(&self, object: &'j Map<String, Json>) -> Result<&'j Map<String, Json>, String> {
        match (self.mapping.source.side, object.get("properties")) {
            (Side::Hubspot, Some(Json::Object(properties))) => Ok(properties),
            (Side::Hubspot, Some(_)) => Err("`properties` is not an object".to_owned()),
            (Side::Hubspot, None) => Err(format!(
                "no `properties`: a line is a {} as `GET /crm/v3/objects/…/{{id}}` answers it",
                self.mapping.source.name
            )),
            (Side::Salesforce, _) => Ok(object),
        }
    }
}

/// Some editors begin a file with a byte order mark, which is no part of the first record.
fn without_mark(line: &[u8]) -> &[u8] {
    line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line)
}

enum Line {
    Fields(Map<String, Json>),
    Refused(String),
    /// A run would park the record.
    Parked(String),
}

/// Reads a line of at most a little more than the limit; the rest of a longer one is read and forgotten.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<usize> {
    let read = input.by_ref().take(MAX_LINE as u64 + 1).read_until(b'\n', line)?;
    let mut skipped = Vec::new();
    let mut ended = line.last() == Some(&b'\n') || read <= MAX_LINE;
    while !ended {
        skipped.clear();
        let more = input.by_ref().take(MAX_LINE as u64).read_until(b'\n', &mut skipped)?;
        ended = more == 0 || skipped.last() == Some(&b'\n');
    }
    Ok(read)
}
