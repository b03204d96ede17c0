//! Faults of the line and of what stands before a CRM: resets, time-outs, bodies cut short, maintenance pages, redirects.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;

use super::super::server::Line;
use super::spec::{Fault, Parameters};

/// How long a time-out keeps silent, and how long a slow body takes, unless the fault says otherwise.
const SILENCE: Duration = Duration::from_mins(1);

/// A slow body comes in this many pieces.
const PIECES: usize = 10;

/// What a body that is cut short gets to send before the line is cut.
const LAST_WORDS: Duration = Duration::from_millis(20);

const MAINTENANCE: &str = "<!DOCTYPE html>\n<html><head><title>Down for maintenance</title></head>\n\
    <body><h1>We'll be right back</h1><p>The service is down for scheduled maintenance.</p></body></html>\n";

/// An answer before it goes on the line.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Reply {
    pub(in crate::sandbox) status: u16,
    pub(in crate::sandbox) headers: Vec<(String, String)>,
    pub(in crate::sandbox) content_type: Option<String>,
    pub(in crate::sandbox) body: Bytes,
}

/// A way in which the line or what stands before the CRM spoils an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) enum Spoiler {
    Reset,
    Timeout,
    Late,
    TruncatedBody,
    SlowBody,
    WrongContentType,
    EmptyBody,
    NotJson,
    MaintenancePage,
    RedirectHttp,
    RedirectOtherHost,
}

impl Spoiler {
    pub(in crate::sandbox) const NAMES: &[(&str, Self)] = &[
        ("reset", Self::Reset),
        ("timeout", Self::Timeout),
        ("late", Self::Late),
        ("truncated_body", Self::TruncatedBody),
        ("slow_body", Self::SlowBody),
        ("wrong_content_type", Self::WrongContentType),
        ("empty_body", Self::EmptyBody),
        ("not_json", Self::NotJson),
        ("maintenance_page", Self::MaintenancePage),
        ("redirect_http", Self::RedirectHttp),
        ("redirect_other_host", Self::RedirectOtherHost),
    ];

    /// The spoiler of this name.
    pub(in crate::sandbox) fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, spoiler)| *spoiler)
    }

    /// Whether it spoils the answer to a request that was carried out, and so can't come before the work.
    pub(in crate::sandbox) fn needs_answer(self) -> bool {
        matches!(
            self,
            Self::Late
                | Self::TruncatedBody
                | Self::SlowBody
                | Self::WrongContentType
                | Self::EmptyBody
                | Self::NotJson
        )
    }

    /// Whether `delay_ms` is its own affair: how long it keeps silent, or how long its body takes.
    pub(in crate::sandbox) fn takes_its_time(self) -> bool {
        matches!(self, Self::Timeout | Self::Late | Self::SlowBody)
    }

    /// The status that the log of calls shows: 0 where the line is cut.
    pub(in crate::sandbox) fn logged(self, fault: &Fault, real: u16) -> u16 {
        match self {
            Self::Reset | Self::Timeout => 0,
            Self::MaintenancePage => fault.status.unwrap_or(503),
            Self::RedirectHttp | Self::RedirectOtherHost => fault.status.unwrap_or(302),
            _ => real,
        }
    }

    /// What is wrong with a fault of this kind: the key, and why.
    pub(in crate::sandbox) fn check(self, fault: &Fault, name: &str) -> Result<(), (&'static str, String)> {
        if self.needs_answer() && fault.moment == Some(super::FaultMoment::Before) {
            let message =
                format!("`{name}` spoils a real answer, so the request is carried out; take away `moment`");
            return Err(("moment", message));
        }
        if self.needs_answer() && fault.status.is_some() {
            let message = format!("`{name}` keeps the real answer's status; take away `status`");
            return Err(("status", message));
        }
        let mut parameters = Parameters::new(&fault.with);
        if matches!(self, Self::RedirectHttp | Self::RedirectOtherHost) {
            parameters.text("location", "");
        }
        parameters.finish(name).map_err(|message| ("with", message))
    }

    /// The answer as it goes on the line; `host` and `target` are the request's.
    pub(in crate::sandbox) async fn spoil(
        self,
        fault: &Fault,
        mut reply: Reply,
        line: &Line,
        host: &str,
        target: &str,
    ) -> Response {
        let time = fault.delay_ms.map_or(SILENCE, Duration::from_millis);
        match self {
            Self::Reset => line.cut(),
            Self::Timeout => {
                tokio::time::sleep(time).await;
                line.cut();
            }
            Self::Late => tokio::time::sleep(time).await,
            Self::TruncatedBody => return pieces(reply, time, true),
            Self::SlowBody => return pieces(reply, time, false),
            Self::WrongContentType => reply.content_type = Some("text/html;charset=utf-8".to_owned()),
            Self::EmptyBody => reply.body = Bytes::new(),
            Self::NotJson => {
                reply.body = Bytes::from_static(MAINTENANCE.as_bytes());
            }
            Self::MaintenancePage => {
                reply = Reply::page(fault.status.unwrap_or(503));
            }
            Self::RedirectHttp => reply = redirect(fault, &format!("http://{host}{target}")),
            Self::RedirectOtherHost => {
                reply = redirect(fault, &format!("https://maintenance.example{target}"));
            }
        }
        for (name, value) in &fault.headers {
            reply.headers.push((name.clone(), value.clone()));
        }
        reply.into_response()
    }
}

fn redirect(fault: &Fault, default: &str) -> Reply {
    let location = Parameters::new(&fault.with).text("location", default);
    Reply {
        status: fault.status.unwrap_or(302),
        headers: vec![("location".to_owned(), location)],
        content_type: None,
        body: Bytes::new(),
    }
}

/// The body in pieces: slowly to its end, or half of it and then the line is cut. Its length is told in full either way.
fn pieces(reply: Reply, time: Duration, cut: bool) -> Response {
    let body = reply.body.clone();
    let size = body.len().div_ceil(if cut { 2 } else { PIECES }).max(1);
    let pause =
        if cut { LAST_WORDS } else { time / u32::try_from(body.len().div_ceil(size).max(1)).unwrap_or(1) };
    let stream = stream::unfold(Some(0), move |at: Option<usize>| {
        let body = body.clone();
        async move {
            let at = at.filter(|at| *at < body.len())?;
            if at > 0 || !cut {
                tokio::time::sleep(pause).await;
            }
            if cut && at > 0 {
                return Some((Err(io::Error::from(io::ErrorKind::ConnectionReset)), None));
            }
            let end = (at + size).min(body.len());
            Some((Ok(body.slice(at..end)), Some(end)))
        }
    });
    let length = reply.body.len();
    let mut response = Reply { body: Bytes::new(), ..reply }.into_response();
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    *response.body_mut() = Body::from_stream(stream);
    response
}

impl Reply {
    /// A page of HTML that tells of maintenance.
    fn page(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content_type: Some("text/html; charset=utf-8".to_owned()),
            body: Bytes::from_static(MAINTENANCE.as_bytes()),
        }
    }

    /// What a fault without a name says: its status, headers and body, JSON or text as it stands.
    pub(in crate::sandbox) fn explicit(fault: &Fault, json: &str) -> Self {
        let (content_type, body) = match &fault.body {
            None | Some(serde_json::Value::Null) => (None, Bytes::new()),
            Some(serde_json::Value::String(text)) => {
                (Some("text/plain;charset=UTF-8".to_owned()), Bytes::from(text.clone()))
            }
            Some(value) => (Some(json.to_owned()), Bytes::from(value.to_string())),
        };
        Self { status: fault.status.unwrap_or(503), headers: Vec::new(), content_type, body }
    }

    /// The answer with what the fault adds to it.
    pub(in crate::sandbox) fn adjusted(mut self, fault: &Fault) -> Self {
        self.status = fault.status.unwrap_or(self.status);
        if let Some(media) = &fault.content_type {
            self.content_type = Some(media.clone());
        }
        for (name, value) in &fault.headers {
            self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            self.headers.push((name.clone(), value.clone()));
        }
        self
    }

    /// The answer for the line; what HTTP can't say is left out.
    pub(in crate::sandbox) fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let media = self.content_type.into_iter().map(|media| ("content-type".to_owned(), media));
        for (name, value) in self.headers.into_iter().chain(media) {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// A name without its side (`hubspot.expired_token` is `expired_token`).
pub(in crate::sandbox) fn stem(name: &str) -> &str {
    name.split_once('.').map_or(name, |(_, stem)| stem)
}

/// What to say of a name that nothing has: the nearest that something has, and all of them.
pub(in crate::sandbox) fn unknown<'a>(
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'a str>,
) -> String {
    let mut known: Vec<&str> = known.collect();
    known.sort_unstable();
    let near = known
        .iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), *candidate))
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .filter(|(likeness, _)| *likeness > 0.8);
    let hint = near.map_or(".".to_owned(), |(_, candidate)| format!("; did you mean `{candidate}`?"));
    format!("there is no {what} `{name}`{hint} Known: {}", known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::super::LINE_ANSWERS;
    use super::*;

    #[test]
    fn every_answer_of_the_line_has_its_name() {
        let names: Vec<&str> = Spoiler::NAMES.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, LINE_ANSWERS);
        assert_eq!(Spoiler::named(stem("hubspot.reset")), Some(Spoiler::Reset));
    }

    #[test]
    fn an_unknown_name_gets_the_nearest_one() {
        let told = unknown("answer", "locket", ["locked", "not_found"].into_iter());
        assert_eq!(told, "there is no answer `locket`; did you mean `locked`? Known: locked, not_found");
        assert!(unknown("answer", "x", ["locked"].into_iter()).ends_with("`x`. Known: locked"));
    }
}
