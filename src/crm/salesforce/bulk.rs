//! Bulk API 2.0: jobs that take a CSV (Salesforce's Bulk API 2.0 guide).
//!
//! Rows come back in any order and are told apart by their key or id, so only upserts and updates go in jobs. A row that
//! a duplicate rule blocked is sent again by itself, as one of a collection is: only there does Salesforce tell what the
//! rule found.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::crm::bulk::{Bulk, JobState};
use crate::crm::http::{Answer, Body, Call};
use crate::types::{CrmError, Value, WriteAnswer, WriteRequest, WriteTarget};

use super::soql::name;
use super::{SalesforceClient, answers, is_id, values};

/// What clears a field (the guide: "Valid CSV record rows"). A text of that form can only be written by REST.
const NULL: &str = "#N/A";

/// Bytes of one job. Salesforce takes 150 MB, which it counts in base64, so 100 MB as they are (the guide: "Limits"); the
/// results repeat the rows, and are read whole within the client's bound.
const JOB_BYTES: usize = 16 << 20;

/// The columns that Salesforce adds to results.
const RESULT_ID: &str = "sf__Id";
const RESULT_CREATED: &str = "sf__Created";
const RESULT_ERROR: &str = "sf__Error";

#[async_trait]
impl Bulk for SalesforceClient {
    fn row_of(&self, request: &WriteRequest) -> Option<(String, String)> {
        let plain = !request.allow_duplicates && request.assignment_rule.is_none();
        let sound = name(self.api_name(&request.object.name), false).is_ok()
            && request.fields.iter().all(|(field, value)| name(field, false).is_ok() && !says_null(value));
        let object = &request.object.name;
        match &request.target {
            _ if !plain || !sound => None,
            WriteTarget::Create => None,
            WriteTarget::Update { id } => is_id(id).then(|| (object.clone(), id.clone())),
            WriteTarget::Upsert { key, value } => {
                (name(key, false).is_ok() && !value.is_empty() && value != NULL)
                    .then(|| (format!("{object} {key}"), value.to_lowercase()))
            }
        }
    }

    fn fitting(&self, rows: &[WriteRequest]) -> usize {
        // A cell is at least a comma, and its value with what must be doubled.
        let columns = columns(rows).len() + 1;
        let mut bytes = 0_usize;
        let fits = |row: &&WriteRequest| {
            let values = row.fields.iter().map(|(_, value)| cell(value).len() + 4);
            bytes += columns + 32 + values.sum::<usize>();
            bytes <= JOB_BYTES
        };
        rows.iter().take_while(fits).count().max(1).min(rows.len())
    }

    async fn open(&self, like: &WriteRequest) -> Result<String, CrmError> {
        let object = self.api_name(&like.object.name);
        let mut body =
            json!({"object": object, "contentType": "CSV", "lineEnding": "LF", "columnDelimiter": "COMMA"});
        match &like.target {
            WriteTarget::Create => body["operation"] = "insert".into(),
            WriteTarget::Update { .. } => body["operation"] = "update".into(),
            WriteTarget::Upsert { key, .. } => {
                body["operation"] = "upsert".into();
                body["externalIdFieldName"] = key.clone().into();
            }
        }
        let answer = self.job(Method::POST, &[], body).await?;
        let job = self.http.read(&answer, false)?;
        let id = job.get("id").and_then(Json::as_str).map(str::to_owned);
        id.ok_or_else(|| self.http.garbled(&answer, false))
    }

    async fn fill(&self, job: &str, rows: &[WriteRequest]) -> Result<(), CrmError> {
        let csv = csv(rows);
        let answer = self
            .send(|instance| {
                let url = self.resource(instance, &["jobs", "ingest", job, "batches"]);
                let body = Body::Csv(csv.clone().into());
                // Nothing is written before the job is started, and a second upload is refused.
                Ok(Call { method: Method::PUT, url, headers: Vec::new(), body, safe: true })
            })
            .await?;
        if answer.success() { Ok(()) } else { Err(self.http.explain(&answer, true)) }
    }

    async fn start(&self, job: &str) -> Result<(), CrmError> {
        let answer = self.job(Method::PATCH, &[job], json!({"state": "UploadComplete"})).await?;
        self.http.read(&answer, false).map(drop)
    }

    async fn abort(&self, job: &str) -> Result<(), CrmError> {
        let answer = self.job(Method::PATCH, &[job], json!({"state": "Aborted"})).await?;
        self.http.read(&answer, true).map(drop)
    }

    async fn state(&self, job: &str) -> Result<JobState, CrmError> {
        let answer =
            self.send(|instance| Ok(Call::get(self.resource(instance, &["jobs", "ingest", job])))).await?;
        if answer.status == 404 {
            return Ok(JobState::Unknown);
        }
        let said = self.http.read(&answer, true)?;
        let text = |name: &str| said.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
        match text("state").as_str() {
            "Open" => Ok(JobState::Open),
            "UploadComplete" | "InProgress" => Ok(JobState::Working),
            "JobComplete" => Ok(JobState::Complete),
            "Failed" => Ok(JobState::Failed(text("errorMessage"))),
            "Aborted" => Ok(JobState::Failed("somebody aborted the job".to_owned())),
            _ => Err(self.http.garbled(&answer, true)),
        }
    }

    async fn answers(&self, job: &str, rows: &[WriteRequest]) -> Result<Vec<Option<WriteAnswer>>, CrmError> {
        let by = key_column(rows);
        let mut found: HashMap<String, Found> = HashMap::new();
        for (which, failed) in [("successfulResults", false), ("failedResults", true)] {
            for row in self.results(job, which).await? {
                let Some(key) = row.get(&by).map(|key| key.to_lowercase()) else { continue };
                let text = |name: &str| row.get(name).cloned().unwrap_or_default();
                found.insert(
                    key,
                    if failed {
                        Found::Refused(text(RESULT_ERROR))
                    } else {
                        Found::Written { id: text(RESULT_ID), created: text(RESULT_CREATED) == "true" }
                    },
                );
            }
        }
        let mut said = Vec::with_capacity(rows.len());
        for row in rows {
            said.push(match found.remove(&key_of(row).to_lowercase()) {
                Some(Found::Written { id, created }) => Some(WriteAnswer::Written { id, created }),
                Some(Found::Refused(error)) => Some(self.refusal(row, &error).await),
                None => None,
            });
        }
        Ok(said)
    }
}

/// What became of a row.
enum Found {
    Written { id: String, created: bool },
    Refused(String),
}

impl SalesforceClient {
    /// A call about jobs.
    async fn job(&self, method: Method, path: &[&str], body: Json) -> Result<Answer, CrmError> {
        let segments: Vec<&str> = ["jobs", "ingest"].into_iter().chain(path.iter().copied()).collect();
        self.send(|instance| {
            Ok(Call::write(method.clone(), self.resource(instance, &segments), body.clone()))
        })
        .await
    }

    /// Rows of results, by the names of their columns.
    async fn results(&self, job: &str, which: &str) -> Result<Vec<HashMap<String, String>>, CrmError> {
        let answer = self
            .send(|instance| Ok(Call::get(self.resource(instance, &["jobs", "ingest", job, which]))))
            .await?;
        if !answer.success() {
            return Err(self.http.explain(&answer, true));
        }
        let text = std::str::from_utf8(&answer.body).map_err(|_| self.http.garbled(&answer, true))?;
        let mut rows = read(text).into_iter();
        let header = rows.next().unwrap_or_default();
        if !text.trim().is_empty() && !header.iter().any(|name| name == RESULT_ID) {
            return Err(self.http.garbled(&answer, true));
        }
        Ok(rows.map(|cells| header.iter().cloned().zip(cells).collect()).collect())
    }

    /// What the refusal of a row means, as that of a collection's row does.
    async fn refusal(&self, row: &WriteRequest, said: &str) -> WriteAnswer {
        let problems = answers::problems(Some(&problem(said)));
        if problems.iter().any(answers::Problem::lacks_details) {
            let alone = self.write_records(std::slice::from_ref(row)).await.pop();
            return alone.unwrap_or_else(|| WriteAnswer::Failed(self.refused("the write was not sent")));
        }
        answers::row(200, &problems, &row.object, said)
    }
}

/// `CODE:message:field,field --` as the REST API says it.
fn problem(said: &str) -> Json {
    let (code, rest) = said.split_once(':').unwrap_or((said, ""));
    let rest = rest.trim_end().strip_suffix("--").unwrap_or(rest).trim_end();
    let (message, fields) = rest.rsplit_once(':').unwrap_or((rest, ""));
    let fields: Vec<&str> = fields.split(',').map(str::trim).filter(|field| !field.is_empty()).collect();
    json!({"statusCode": code.trim(), "message": message, "fields": fields})
}

/// Whether a text would be taken for a null.
fn says_null(value: &Value) -> bool {
    matches!(value, Value::Text(text) if text == NULL)
}

/// The column by which a row is found again.
fn key_column(rows: &[WriteRequest]) -> String {
    match rows.first().map(|row| &row.target) {
        Some(WriteTarget::Upsert { key, .. }) => key.clone(),
        _ => "Id".to_owned(),
    }
}

fn key_of(row: &WriteRequest) -> &str {
    match &row.target {
        WriteTarget::Upsert { value, .. } => value,
        WriteTarget::Update { id } => id,
        WriteTarget::Create => "",
    }
}

/// The fields that any of the rows writes, but for its key.
fn columns(rows: &[WriteRequest]) -> BTreeSet<&str> {
    let by = key_column(rows);
    let named = |field: &&str| !field.eq_ignore_ascii_case("Id") && !field.eq_ignore_ascii_case(&by);
    rows.iter().flat_map(|row| row.fields.iter().map(|(field, _)| field.as_str())).filter(named).collect()
}

/// All rows. A field that a row does not write is empty, which leaves it as it is.
fn csv(rows: &[WriteRequest]) -> String {
    let (by, columns) = (key_column(rows), columns(rows));
    let mut out = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = String>| {
        out.push_str(&cells.collect::<Vec<_>>().join(","));
        out.push('\n');
    };
    line(&mut std::iter::once(by).chain(columns.iter().map(|column| (*column).to_owned())));
    for row in rows {
        let value = |column: &&str| row.fields.iter().find(|(field, _)| field == column);
        let cells =
            columns.iter().map(|column| value(column).map_or_else(String::new, |(_, value)| cell(value)));
        line(&mut std::iter::once(quoted(key_of(row))).chain(cells));
    }
    out
}

/// A value as a cell.
fn cell(value: &Value) -> String {
    match values::to_json(value) {
        Json::Null => NULL.to_owned(),
        Json::String(text) => quoted(&text),
        other => other.to_string(),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// The rows of a CSV (RFC 4180), whichever way its lines end.
fn read(text: &str) -> Vec<Vec<String>> {
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
            '\r' => {}
            '\n' => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            other => cell.push(other),
        }
    }
    if !cell.is_empty() || !row.is_empty() {
        row.push(cell);
        rows.push(row);
    }
    rows
}

#[cfg(test)]
mod unit {
    use chrono::NaiveDate;
    use proptest::prelude::*;

    use super::*;
    use crate::source::{ObjectName, Side};

    fn upsert(key: &str, fields: &[(&str, Value)]) -> WriteRequest {
        WriteRequest {
            object: ObjectName::new(Side::Salesforce, "Lead"),
            target: WriteTarget::Upsert { key: "Key__c".to_owned(), value: key.to_owned() },
            fields: fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
            allow_duplicates: false,
            assignment_rule: None,
        }
    }

    #[test]
    fn rows_become_csv() {
        let date = Value::Date(NaiveDate::from_ymd_opt(2024, 9, 30).unwrap());
        let rows = [
            upsert("1", &[("Title", Value::text("a \"b\", c\nd")), ("Flag__c", Value::Boolean(true))]),
            upsert("2,", &[("Title", Value::Blank), ("Day__c", date), ("Key__c", Value::text("2,"))]),
        ];
        assert_eq!(
            csv(&rows),
            "Key__c,Day__c,Flag__c,Title\n\"1\",,true,\"a \"\"b\"\", c\nd\"\n\"2,\",\"2024-09-30\",,#N/A\n"
        );
    }

    #[test]
    fn a_refusal_says_what_the_rest_api_would() {
        let said = "REQUIRED_FIELD_MISSING:Required fields are missing: [Company]:Company --";
        let expected = json!({
            "statusCode": "REQUIRED_FIELD_MISSING", "message": "Required fields are missing: [Company]",
            "fields": ["Company"],
        });
        assert_eq!(problem(said), expected);
        let locked = problem("UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record:--");
        assert_eq!(locked["message"], "unable to obtain exclusive access to this record");
        assert_eq!(problem("ODD")["statusCode"], "ODD");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_is_read_again(texts in proptest::collection::vec("(?s)[^\r]{1,20}", 1..5)) {
            let line = texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(",");
            prop_assert_eq!(read(&format!("{line}\r\n")), vec![texts]);
        }
    }
}
