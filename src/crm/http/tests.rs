//! The transport against servers that misbehave.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::crm::testing::{Reply, Server, options};

use super::*;

/// A vendor whose every refusal is told by its status alone.
static PLAIN: Vendor = Vendor {
    side: Side::Hubspot,
    explain: |answer| {
        let (kind, maybe_applied) =
            by_status(Side::Hubspot, answer).unwrap_or((CrmErrorKind::Refused, false));
        CrmError {
            status: Some(answer.status),
            maybe_applied,
            ..error(Side::Hubspot, kind, answer.excerpt())
        }
    },
    limits: |_, _| {},
};

fn http(base: &Url, options: HttpOptions) -> Http {
    Http::new(&PLAIN, base, options).unwrap()
}

fn write(base: &Url) -> Call {
    Call::write(Method::POST, join(base, &["things"]), json!({}))
}

fn read(base: &Url) -> Call {
    Call::get(join(base, &["things"]))
}

/// A server that takes each request and hangs up without a word.
async fn rude() -> (Url, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let count = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut buffer = [0; 4096];
            let _ = socket.read(&mut buffer).await;
            counter.fetch_add(1, Ordering::Relaxed);
            let _ = socket.shutdown().await;
        }
    });
    (base, count)
}

#[tokio::test]
async fn says_who_it_is_and_counts() {
    let server = Server::start(|_, _| Reply::json(200, &json!({}))).await;
    let http = http(&server.base, options());
    http.json(&read(&server.base), Some(&"secret".into())).await.unwrap();
    let seen = &server.seen()[0];
    assert_eq!(seen.header("user-agent"), concat!("mapwright/", env!("CARGO_PKG_VERSION")));
    assert_eq!(seen.header("authorization"), "Bearer secret");
    assert_eq!(http.calls(), 1);
}

#[tokio::test]
async fn a_limit_is_waited_for_as_long_as_asked() {
    let server = Server::start(|_, before| match before {
        0 => Reply::text(429, "slow down").header("retry-after", "1"),
        _ => Reply::json(200, &json!({"ok": true})),
    })
    .await;
    let http = http(&server.base, options());
    let start = Instant::now();
    // A limit comes before anything is done, so a write goes again too.
    http.json(&write(&server.base), None).await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_eq!(http.calls(), 2);
}

#[tokio::test]
async fn a_wait_that_is_too_long_is_left_to_the_caller() {
    let server = Server::start(|_, _| Reply::text(429, "").header("retry-after", "600")).await;
    let http = http(&server.base, options());
    let error = http.json(&read(&server.base), None).await.unwrap_err();
    assert_eq!((error.kind, error.retry_after), (CrmErrorKind::Retry, Some(Duration::from_mins(10))));
    assert_eq!(http.calls(), 1);
}

#[tokio::test]
async fn reads_are_repeated_and_end() {
    let server = Server::start(|_, _| Reply::text(502, "<html>bad gateway</html>")).await;
    let http = http(&server.base, options());
    let error = http.json(&read(&server.base), None).await.unwrap_err();
    assert_eq!((error.kind, error.status, error.maybe_applied), (CrmErrorKind::Retry, Some(502), false));
    assert_eq!(http.calls(), 3);
}

#[tokio::test]
async fn a_write_that_may_have_been_applied_is_sent_once() {
    let server = Server::start(|_, _| Reply::text(502, "")).await;
    let http = http(&server.base, options());
    let error = http.json(&write(&server.base), None).await.unwrap_err();
    assert!(error.maybe_applied && error.kind == CrmErrorKind::Retry);
    assert_eq!(http.calls(), 1);
}

#[tokio::test]
async fn a_server_that_says_when_to_come_back_has_not_begun() {
    let server = Server::start(|_, before| match before {
        0 => Reply::text(503, "").header("retry-after", "0"),
        _ => Reply::json(201, &json!({})),
    })
    .await;
    let http = http(&server.base, options());
    http.json(&write(&server.base), None).await.unwrap();
    assert_eq!(http.calls(), 2);
}

#[tokio::test]
async fn a_time_out_after_sending_may_have_been_applied() {
    let server = Server::start(|_, _| Reply::json(200, &json!({})).after(Duration::from_secs(3))).await;
    let http = http(&server.base, HttpOptions { request_timeout: Duration::from_millis(150), ..options() });
    let error = http.json(&write(&server.base), None).await.unwrap_err();
    assert!(error.maybe_applied && error.kind == CrmErrorKind::Retry, "{error:?}");
    assert!(error.message.starts_with("no answer from `http://127.0.0.1:"), "{}", error.message);
    assert_eq!(server.seen().len(), 1);
    let error = http.json(&read(&server.base), None).await.unwrap_err();
    assert!(!error.maybe_applied);
    assert_eq!(server.seen().len(), 4, "reads go again");
}

#[tokio::test]
async fn a_reset_connection_after_sending_may_have_been_applied() {
    let (base, count) = rude().await;
    let http = http(&base, options());
    let error = http.json(&write(&base), None).await.unwrap_err();
    assert!(error.maybe_applied && error.kind == CrmErrorKind::Retry, "{error:?}");
    assert_eq!(count.load(Ordering::Relaxed), 1);
    let error = http.json(&read(&base), None).await.unwrap_err();
    assert!(!error.maybe_applied);
    assert_eq!(count.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn without_a_connection_nothing_was_applied() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let error = http(&base, options()).json(&write(&base), None).await.unwrap_err();
    assert!(!error.maybe_applied && error.kind == CrmErrorKind::Retry, "{error:?}");
}

#[tokio::test]
async fn redirects_are_refused_by_name_without_what_they_carry() {
    let server =
        Server::start(|_, _| Reply::text(302, "").header("location", "https://evil.test/x?token=1")).await;
    let error = http(&server.base, options()).json(&read(&server.base), None).await.unwrap_err();
    assert_eq!(error.kind, CrmErrorKind::Refused);
    assert!(
        error.message.contains("`https://evil.test`") && !error.message.contains("token"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn garbled_and_oversized_answers_are_told() {
    let server = Server::start(|_, _| Reply::text(200, &format!("<html>{}", "x".repeat(5_000)))).await;
    let error = http(&server.base, options()).json(&read(&server.base), None).await.unwrap_err();
    assert_eq!(error.kind, CrmErrorKind::Garbled);
    assert!(error.message.contains("<html>xxx") && error.message.len() < 300);
    let small = HttpOptions { max_body: 1_000, ..options() };
    let error = http(&server.base, small).json(&write(&server.base), None).await.unwrap_err();
    assert_eq!(error.kind, CrmErrorKind::Garbled);
    assert!(error.message.contains("larger than 1000 bytes") && error.maybe_applied, "{error:?}");
}

#[tokio::test]
async fn other_hosts_are_never_reached() {
    let server = Server::start(|_, _| Reply::json(200, &json!({}))).await;
    let other = Server::start(|_, _| Reply::json(200, &json!({}))).await;
    let http = http(&server.base, options());
    let error = http.json(&read(&other.base), Some(&"secret".into())).await.unwrap_err();
    assert_eq!(error.kind, CrmErrorKind::Refused);
    assert!(other.seen().is_empty());
    assert_eq!(http.calls(), 0);
}

#[tokio::test]
async fn a_public_name_that_leads_inside_is_refused() {
    // The guard is one of a public host; the resolver then finds a loopback address.
    let guard = Arc::new(Guard::new(&Url::parse("https://api.hubapi.com").unwrap(), false).unwrap());
    let resolver = GuardedResolver(guard);
    let found = reqwest::dns::Resolve::resolve(&resolver, "localhost".parse().unwrap()).await;
    let Err(error) = found else { panic!("it was resolved") };
    assert!(error.downcast_ref::<PrivateAddress>().is_some(), "{error}");
}

#[tokio::test]
async fn errors_hold_neither_address_nor_token() {
    let (base, _) = rude().await;
    let mut call = read(&base);
    call.url.query_pairs_mut().append_pair("q", "jane@acme.test");
    let error = http(&base, options()).json(&call, Some(&"tok-123".into())).await.unwrap_err();
    let all = format!("{error:?}");
    assert!(!all.contains("acme") && !all.contains("tok-123"), "{all}");
}
