//! Bulk API 2.0 ingest: jobs that take a CSV and are worked off behind the caller's back (Salesforce's Bulk API 2.0 guide).
//!
//! A job is `Open` until it is closed, and then `UploadComplete`, `InProgress` and `JobComplete` or `Failed`. Its rows are
//! written when it is closed; each look at it shows the next state, so that clients must ask more than once.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::clock;
use super::error::ApiError;
use super::http::{Answer, Body, Request, method_not_allowed, settle};
use super::ids;
use super::org::{Caller, Org};
use super::records::{self, UpsertError};
use super::schema::{FieldFacts, FieldType, ObjectFacts};

/// What clears a field (the same guide: "Valid CSV record rows").
const NULL: &str = "#N/A";

/// The media type of uploads and results.
const CSV: &str = "text/csv";

/// The prefix of a job's id.
const PREFIX: &str = "750";

/// All jobs of an organisation, by id.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    jobs: BTreeMap<String, Job>,
    last: u64,
}

#[derive(Debug, Clone)]
struct Job {
    id: String,
    user_id: String,
    object: String,
    operation: String,
    key: Option<String>,
    version: u32,
    crlf: bool,
    created: String,
    state: State,
    upload: Option<String>,
    header: Vec<String>,
    done: Vec<Done>,
    failed: Vec<(String, Vec<String>)>,
    unprocessed: Vec<Vec<String>>,
    message: Option<String>,
}

#[derive(Debug, Clone)]
struct Done {
    id: String,
    created: bool,
    cells: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    UploadComplete,
    InProgress,
    JobComplete,
    Failed,
    Aborted,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            State::Open => "Open",
            State::UploadComplete => "UploadComplete",
            State::InProgress => "InProgress",
            State::JobComplete => "JobComplete",
            State::Failed => "Failed",
            State::Aborted => "Aborted",
        }
    }

    fn is_over(self) -> bool {
        matches!(self, State::JobComplete | State::Failed | State::Aborted)
    }
}

/// Answers `jobs/ingest…`.
pub(super) fn route(org: &mut Org, caller: &Caller, request: &Request, path: &[&str]) -> Answer {
    match (path, request.method.as_str()) {
        ([], "POST") => settle(create(org, caller, request)),
        ([], "GET") => Answer::json(200, list(org)),
        ([], method) => method_not_allowed(method, "GET,HEAD,POST"),
        ([id], "GET") => settle(look(org, id)),
        ([id], "PATCH") => settle(close(org, caller, request, id)),
        ([id], "DELETE") => settle(delete(org, id)),
        ([_], method) => method_not_allowed(method, "DELETE,GET,HEAD,PATCH"),
        ([id, "batches"], "PUT") => settle(upload(org, request, id)),
        ([_, "batches"], method) => method_not_allowed(method, "PUT"),
        ([id, results], "GET") => settle(results_of(org, id, results)),
        ([_, _], method) => method_not_allowed(method, "GET,HEAD"),
        _ => Answer::from(ApiError::no_resource()),
    }
}

fn create(org: &mut Org, caller: &Caller, request: &Request) -> Result<Answer, Answer> {
    let body = request.json()?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let object = text("object").unwrap_or_default();
    let facts = org
        .schema
        .object(object)
        .cloned()
        .ok_or_else(|| invalid("INVALIDENTITY", format!("Unable to find object: {object}")))?;
    let operation = text("operation").unwrap_or_default().to_owned();
    if !["insert", "update", "upsert"].contains(&operation.as_str()) {
        return Err(invalid("INVALIDJOB", format!("InvalidJob : Unsupported operation: {operation}")).into());
    }
    let key = key_of(&facts, &operation, text("externalIdFieldName"))?;
    let crlf = lines_end_with_cr(text)?;
    org.jobs.last += 1;
    let job = Job {
        id: ids::mint(PREFIX, org.jobs.last),
        user_id: caller.user_id.clone(),
        object: facts.name.clone(),
        operation,
        key,
        version: caller.version,
        crlf,
        created: clock::stamp(org.now()),
        state: State::Open,
        upload: None,
        header: Vec::new(),
        done: Vec::new(),
        failed: Vec::new(),
        unprocessed: Vec::new(),
        message: None,
    };
    let shown = show(&job, false);
    org.jobs.jobs.insert(job.id.clone(), job);
    Ok(Answer::json(200, shown))
}

/// The field by which records are upserted.
fn key_of(facts: &ObjectFacts, operation: &str, given: Option<&str>) -> Result<Option<String>, ApiError> {
    if operation != "upsert" {
        return Ok(None);
    }
    let missing = || invalid("INVALIDJOB", "InvalidJob : externalIdFieldName is required for upsert");
    let key = given.ok_or_else(missing)?;
    let field = facts.field(key).filter(|field| field.is_key());
    let unknown = || {
        let name = &facts.name;
        let message =
            format!("InvalidJob : Field name provided, {key} does not match an External ID for {name}");
        invalid("INVALIDJOB", message)
    };
    Ok(Some(field.ok_or_else(unknown)?.name.clone()))
}

/// Whether lines end with CR and LF, of a form that is played here.
fn lines_end_with_cr<'t>(text: impl Fn(&str) -> Option<&'t str>) -> Result<bool, ApiError> {
    let other = |name: &str, known: &str| text(name).is_some_and(|given| given != known);
    if other("contentType", "CSV") || other("columnDelimiter", "COMMA") {
        return Err(invalid("INVALIDJOB", "InvalidJob : this sandbox takes CSV with commas"));
    }
    match text("lineEnding") {
        None | Some("LF") => Ok(false),
        Some("CRLF") => Ok(true),
        Some(other) => Err(invalid("INVALIDJOB", format!("InvalidJob : lineEnding {other}"))),
    }
}

fn list(org: &Org) -> Value {
    let records: Vec<Value> = org.jobs.jobs.values().map(|job| show(job, false)).collect();
    json!({"done": true, "records": records, "nextRecordsUrl": null})
}

/// The job; one that is under way is a step further at the next look.
fn look(org: &mut Org, id: &str) -> Result<Answer, Answer> {
    let job = job(org, id)?;
    let shown = show(job, true);
    job.state = match job.state {
        State::UploadComplete => State::InProgress,
        State::InProgress if job.message.is_some() => State::Failed,
        State::InProgress => State::JobComplete,
        other => other,
    };
    Ok(Answer::json(200, shown))
}

fn upload(org: &mut Org, request: &Request, id: &str) -> Result<Answer, Answer> {
    let job = job(org, id)?;
    if job.state != State::Open || job.upload.is_some() {
        let message = format!(
            "Found multiple contents for job: <{}>, please 'Close' / 'Abort' / 'Delete' the current Job then create a new Job",
            job.id
        );
        return Err(invalid("CLIENT_ERROR", message).into());
    }
    let kind = request.header("content-type").unwrap_or_default().to_ascii_lowercase();
    if !kind.starts_with(CSV) {
        return Err(
            ApiError::new("UNSUPPORTED_MEDIA_TYPE", format!("Content type {kind} not supported.")).into()
        );
    }
    job.upload = Some(request.body.clone());
    Ok(Answer { status: 201, headers: Vec::new(), body: Body::Empty })
}

fn close(org: &mut Org, caller: &Caller, request: &Request, id: &str) -> Result<Answer, Answer> {
    let body = request.json()?;
    let wanted = body.get("state").and_then(Value::as_str).unwrap_or_default().to_owned();
    let job = job(org, id)?;
    match (wanted.as_str(), job.state) {
        ("UploadComplete", State::Open) => job.state = State::UploadComplete,
        ("Aborted", state) if !state.is_over() && job.done.is_empty() && job.failed.is_empty() => {
            job.state = State::Aborted;
            return Ok(Answer::json(200, show(job, false)));
        }
        (wanted, state) => {
            let message = format!("Job cannot go from {} to {wanted}", state.name());
            return Err(invalid("INVALIDJOBSTATE", message).into());
        }
    }
    let mut job = job.clone();
    work(org, caller, &mut job);
    let shown = show(&job, false);
    org.jobs.jobs.insert(job.id.clone(), job);
    Ok(Answer::json(200, shown))
}

fn delete(org: &mut Org, id: &str) -> Result<Answer, Answer> {
    let job = job(org, id)?;
    if !job.state.is_over() {
        return Err(invalid("INVALIDJOBSTATE", "Only a job that has ended can be deleted").into());
    }
    let id = job.id.clone();
    org.jobs.jobs.remove(&id);
    Ok(Answer { status: 204, headers: Vec::new(), body: Body::Empty })
}

/// Writes the rows. A row that is refused leaves the others alone.
fn work(org: &mut Org, caller: &Caller, job: &mut Job) {
    let text = job.upload.clone().unwrap_or_default();
    let rows = match read(&text, job.crlf) {
        Ok(rows) => rows,
        Err(message) => return job.message = Some(format!("InvalidBatch : {message}")),
    };
    let mut rows = rows.into_iter();
    let Some(header) = rows.next() else {
        return job.message = Some("InvalidBatch : The file has no header".to_owned());
    };
    job.header = header;
    let Some(facts) = org.schema.object(&job.object).cloned() else { return };
    let unknown = job.header.iter().find(|name| facts.field(name).is_none());
    if let Some(name) = unknown {
        job.message = Some(format!("InvalidBatch : Field name not found : {name}"));
        job.unprocessed = rows.collect();
        return;
    }
    for cells in rows {
        match row(org, caller, job, &facts, &cells) {
            Ok((id, created)) => job.done.push(Done { id, created, cells }),
            Err(errors) => job.failed.push((said(&errors), cells)),
        }
    }
}

fn row(
    org: &mut Org,
    caller: &Caller,
    job: &Job,
    facts: &ObjectFacts,
    cells: &[String],
) -> Result<(String, bool), Vec<ApiError>> {
    if cells.len() != job.header.len() {
        let message = format!("Row has {} columns, the header {}", cells.len(), job.header.len());
        return Err(vec![ApiError::on_fields("INVALID_ROW", message, &[])]);
    }
    let mut fields = Map::new();
    for (name, cell) in job.header.iter().zip(cells) {
        // An empty cell says nothing about its field.
        let (Some(field), false) = (facts.field(name), cell.is_empty()) else { continue };
        fields.insert(field.name.clone(), value(field, cell));
    }
    let raw = cells.join(",");
    let mut take = |name: &str| fields.shift_remove(name).and_then(|value| value.as_str().map(str::to_owned));
    match (job.operation.as_str(), &job.key) {
        ("upsert", Some(key)) => {
            let missing =
                || vec![ApiError::on_fields("MISSING_ARGUMENT", format!("{key} not specified"), &[])];
            let value = take(key).ok_or_else(missing)?;
            match records::upsert(org, caller, &facts.name, key, &value, &fields, &raw) {
                Ok(done) => Ok((done.id, done.created)),
                Err(UpsertError::Errors(errors)) => Err(errors),
                Err(UpsertError::Many(found)) => {
                    let message =
                        format!("more than one record found for external id field: [{}]", found.join(", "));
                    Err(vec![ApiError::on_fields("DUPLICATE_EXTERNAL_ID", message, &[])])
                }
            }
        }
        ("update", _) => {
            let missing = || {
                vec![ApiError::on_fields("MISSING_ARGUMENT", "Id not specified in an update call", &["Id"])]
            };
            let id = take("Id").ok_or_else(missing)?;
            records::update(org, caller, &facts.name, &id, &fields, &raw)?;
            Ok((ids::normalize(&id).unwrap_or(id), false))
        }
        _ => records::create(org, caller, &facts.name, &fields, &raw).map(|id| (id, true)),
    }
}

/// A cell as the REST API would take it.
fn value(field: &FieldFacts, cell: &str) -> Value {
    if cell == NULL {
        return Value::Null;
    }
    match field.kind {
        FieldType::Boolean if cell.eq_ignore_ascii_case("true") => Value::Bool(true),
        FieldType::Boolean if cell.eq_ignore_ascii_case("false") => Value::Bool(false),
        FieldType::Int | FieldType::Double | FieldType::Currency | FieldType::Percent => {
            cell.parse().map_or_else(|_| cell.into(), Value::Number)
        }
        _ => cell.into(),
    }
}

/// Errors as `sf__Error` has them: `CODE:message:fields --`.
fn said(errors: &[ApiError]) -> String {
    let one = |error: &ApiError| {
        format!("{}:{}:{} --", error.code, error.message, error.fields.clone().unwrap_or_default().join(","))
    };
    errors.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn results_of(org: &mut Org, id: &str, which: &str) -> Result<Answer, Answer> {
    let job = job(org, id)?;
    if !job.state.is_over() {
        return Err(invalid("INVALIDJOBSTATE", "The results are there once the job has ended").into());
    }
    let mut out = String::new();
    let mut put = |own: &[&str], cells: &[String]| {
        let all: Vec<String> =
            own.iter().copied().chain(cells.iter().map(String::as_str)).map(quoted).collect();
        out.push_str(&all.join(","));
        out.push('\n');
    };
    // Salesforce takes these names in any case.
    match which.to_ascii_lowercase().as_str() {
        "successfulresults" => {
            put(&["sf__Id", "sf__Created"], &job.header);
            for done in &job.done {
                put(&[&done.id, if done.created { "true" } else { "false" }], &done.cells);
            }
        }
        "failedresults" => {
            put(&["sf__Id", "sf__Error"], &job.header);
            for (error, cells) in &job.failed {
                put(&["", error], cells);
            }
        }
        "unprocessedrecords" => {
            put(&[], &job.header);
            for cells in &job.unprocessed {
                put(&[], cells);
            }
        }
        _ => return Err(ApiError::no_resource().into()),
    }
    Ok(Answer { status: 200, headers: Vec::new(), body: Body::Text(CSV, out) })
}

fn job<'o>(org: &'o mut Org, id: &str) -> Result<&'o mut Job, ApiError> {
    let id = ids::normalize(id).ok_or_else(ApiError::no_resource)?;
    org.jobs.jobs.get_mut(&id).ok_or_else(ApiError::no_resource)
}

fn show(job: &Job, whole: bool) -> Value {
    let mut shown = json!({
        "id": job.id,
        "operation": job.operation,
        "object": job.object,
        "createdById": job.user_id,
        "createdDate": job.created,
        "systemModstamp": job.created,
        "state": job.state.name(),
        "concurrencyMode": "Parallel",
        "contentType": "CSV",
        "apiVersion": f64::from(job.version),
        "contentUrl": format!("services/data/v{}.0/jobs/ingest/{}/batches", job.version, job.id),
        "lineEnding": if job.crlf { "CRLF" } else { "LF" },
        "columnDelimiter": "COMMA",
    });
    if let Some(key) = &job.key {
        shown["externalIdFieldName"] = key.clone().into();
    }
    if whole {
        let over = job.state.is_over();
        let failed = if over { job.failed.len() } else { 0 };
        // Rows that failed are processed ones too.
        let processed = if over { job.done.len() + failed } else { 0 };
        shown["jobType"] = "V2Ingest".into();
        shown["retries"] = 0.into();
        shown["totalProcessingTime"] = 0.into();
        shown["numberRecordsProcessed"] = processed.into();
        shown["numberRecordsFailed"] = failed.into();
        if let (State::Failed, Some(message)) = (job.state, &job.message) {
            shown["errorMessage"] = message.clone().into();
        }
    }
    shown
}

fn invalid(code: &'static str, message: impl Into<String>) -> ApiError {
    ApiError::new(code, message).with_status(400)
}

fn quoted(cell: &str) -> String {
    format!("\"{}\"", cell.replace('"', "\"\""))
}

/// The rows of a CSV (RFC 4180) whose lines end as the job says.
fn read(text: &str, crlf: bool) -> Result<Vec<Vec<String>>, String> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            other if quoted => cell.push(other),
            ',' => row.push(std::mem::take(&mut cell)),
            '\r' if crlf && characters.peek() == Some(&'\n') => {}
            '\r' | '\n' if (character == '\r') || (crlf && !text.contains("\r\n")) => {
                return Err(format!(
                    "LineEnding is invalid on user data. Current LineEnding setting is {}",
                    if crlf { "CRLF" } else { "LF" }
                ));
            }
            '\n' => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            other => cell.push(other),
        }
    }
    if quoted {
        return Err("a quoted cell is not closed".to_owned());
    }
    if !cell.is_empty() || !row.is_empty() {
        row.push(cell);
        rows.push(row);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::super::SalesforceConfig;
    use super::*;

    fn org() -> (Org, Caller) {
        let org = Org::new(SalesforceConfig::default(), "http://127.0.0.1".to_owned()).unwrap();
        let caller = Caller::new(org.default_user_id(), 58);
        (org, caller)
    }

    fn ask(org: &mut Org, caller: &Caller, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut request = Request::new(method, &format!("/jobs/ingest/{path}"));
        request.body = body.to_owned();
        request
            .headers
            .insert("content-type".into(), if method == "PUT" { CSV } else { "application/json" }.into());
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let answer = route(org, caller, &request, &parts);
        let text = match answer.body {
            Body::Empty => String::new(),
            Body::Json(json) => json.to_string(),
            Body::Text(_, text) => text,
        };
        (answer.status, text)
    }

    #[test]
    fn rows_are_written_one_by_one_and_told_apart() {
        let (mut org, caller) = org();
        let job = r#"{"object": "Lead", "operation": "insert", "lineEnding": "LF"}"#;
        let (status, said) = ask(&mut org, &caller, "POST", "", job);
        let job: Value = serde_json::from_str(&said).unwrap();
        assert_eq!((status, &job["state"]), (200, &json!("Open")));
        let id = job["id"].as_str().unwrap().to_owned();
        let csv = "LastName,Company,Title,HasOptedOutOfEmail\nDoe,\"A, \"\"B\"\"\nC\",#N/A,true\nRoe,,,\n";
        assert_eq!(ask(&mut org, &caller, "PUT", &format!("{id}/batches"), csv), (201, String::new()));
        assert_eq!(
            ask(&mut org, &caller, "PUT", &format!("{id}/batches"), csv).0,
            400,
            "one upload is a job's"
        );
        assert_eq!(
            ask(&mut org, &caller, "GET", &format!("{id}/failedResults"), "").0,
            400,
            "it has not ended"
        );
        let (status, _) = ask(&mut org, &caller, "PATCH", &id, r#"{"state": "UploadComplete"}"#);
        assert_eq!(status, 200);
        assert_eq!(ask(&mut org, &caller, "PATCH", &id, r#"{"state": "UploadComplete"}"#).0, 400);
        let looks: Vec<Value> = (0..3)
            .map(|_| serde_json::from_str::<Value>(&ask(&mut org, &caller, "GET", &id, "").1).unwrap())
            .collect();
        let names: Vec<&str> = looks.iter().map(|look| look["state"].as_str().unwrap()).collect();
        assert_eq!(names, ["UploadComplete", "InProgress", "JobComplete"]);
        assert_eq!(
            (&looks[2]["numberRecordsProcessed"], &looks[2]["numberRecordsFailed"]),
            (&json!(2), &json!(1))
        );
        let (_, done) = ask(&mut org, &caller, "GET", &format!("{id}/successfulResults/"), "");
        let lines: Vec<&str> = done.splitn(2, '\n').collect();
        assert_eq!(lines[0], r#""sf__Id","sf__Created","LastName","Company","Title","HasOptedOutOfEmail""#);
        assert!(lines[1].contains("\"true\",\"Doe\",\"A, \"\"B\"\"\nC\""), "{done}");
        let (_, failed) = ask(&mut org, &caller, "GET", &format!("{id}/failedresults"), "");
        assert!(
            failed.contains("REQUIRED_FIELD_MISSING:Required fields are missing: [Company]:Company --"),
            "{failed}"
        );
    }

    #[test]
    fn a_job_with_an_unknown_field_fails_as_a_whole() {
        let (mut org, caller) = org();
        let job = r#"{"object": "Lead", "operation": "insert"}"#;
        let said = ask(&mut org, &caller, "POST", "", job).1;
        let id = serde_json::from_str::<Value>(&said).unwrap()["id"].as_str().unwrap().to_owned();
        ask(&mut org, &caller, "PUT", &format!("{id}/batches"), "LastName,Nope__c\nDoe,1\n");
        ask(&mut org, &caller, "PATCH", &id, r#"{"state": "UploadComplete"}"#);
        let last = (0..3).map(|_| ask(&mut org, &caller, "GET", &id, "").1).last().unwrap();
        assert!(
            last.contains(r#""state":"Failed""#) && last.contains("Field name not found : Nope__c"),
            "{last}"
        );
        assert!(
            ask(&mut org, &caller, "GET", &format!("{id}/unprocessedrecords"), "")
                .1
                .contains("\"Doe\",\"1\"")
        );
        for (body, status) in [
            (r#"{"object": "Nope", "operation": "insert"}"#, 400),
            (r#"{"object": "Lead", "operation": "upsert"}"#, 400),
            (r#"{"object": "Lead", "operation": "upsert", "externalIdFieldName": "Title"}"#, 400),
            (r#"{"object": "Lead", "operation": "explode"}"#, 400),
        ] {
            assert_eq!(ask(&mut org, &caller, "POST", "", body).0, status, "{body}");
        }
        assert_eq!(ask(&mut org, &caller, "GET", "750000000000000AAA", "").0, 404);
    }

    #[test]
    fn lines_end_as_the_job_says() {
        assert_eq!(read("a,b\r\n1,2\r\n", true).unwrap(), [["a", "b"], ["1", "2"]]);
        assert_eq!(read("a,b\n1,2", false).unwrap(), [["a", "b"], ["1", "2"]]);
        assert!(read("a\r\n1\r\n", false).is_err());
        assert!(read("a\n1\n", true).is_err());
        assert!(read("a\n\"1", false).is_err());
    }
}
