//! Alerts to a real listener and a real program.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::mpsc as std_mpsc;

use super::*;

const NOW: fn() -> DateTime<Utc> = || DateTime::from_timestamp(1_700_000_000, 0).expect("a time");

/// A listener that answers with these statuses, one after the other, and hands over what it was sent.
fn listener(statuses: Vec<u16>) -> (Url, std_mpsc::Receiver<String>) {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/alerts", socket.local_addr().expect("an address"));
    let (send, received) = std_mpsc::channel();
    std::thread::spawn(move || {
        for status in statuses {
            let Ok((mut stream, _)) = socket.accept() else { return };
            let mut bytes = Vec::new();
            let mut chunk = [0_u8; 4096];
            while !whole(&bytes) {
                match stream.read(&mut chunk) {
                    Ok(read) if read > 0 => bytes.extend_from_slice(&chunk[..read]),
                    _ => break,
                }
            }
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes());
            let _ = send.send(String::from_utf8_lossy(&bytes).into_owned());
        }
    });
    (Url::parse(&url).expect("a URL"), received)
}

/// Whether a request is there with its body.
fn whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    length.is_some_and(|length: usize| body.len() >= length)
}

fn settings() -> AlertSettings {
    AlertSettings {
        webhook: None,
        command: None,
        timeout: Duration::from_secs(5),
        personal_data: false,
        first_pause: Duration::from_millis(5),
    }
}

fn hook(url: Url) -> AlertSettings {
    let headers = vec![("authorization".to_owned(), "Bearer let-me-in".to_owned().into())];
    let webhook = Webhook { url, secret: Some("a secret".to_owned().into()), headers };
    AlertSettings { webhook: Some(webhook), ..settings() }
}

fn pause() -> Notice {
    let until = DateTime::from_timestamp(1_700_000_060, 0).expect("a time");
    Notice::PauseBegan {
        pair: "main".to_owned(),
        crm: Side::Salesforce,
        reason: "unauthorised",
        help: "renew the token".into(),
        until,
        code: Some("INVALID_SESSION_ID".to_owned()),
    }
}

/// Delivers notices; what was counted.
async fn deliver(settings: AlertSettings, notices: Vec<Notice>) -> Vec<&'static str> {
    let counted = Arc::new(Mutex::new(Vec::new()));
    let count = Arc::clone(&counted);
    let count: Count = Arc::new(move |what| count.lock().expect("not poisoned").push(what));
    let http = HttpOptions::new(NOW, || 0.5);
    let (alerts, deliveries) = Alerts::start(settings, http, count).expect("settings that can be used");
    for notice in notices {
        alerts.raise(notice);
    }
    assert!(deliveries.shutdown(Duration::from_secs(20)).await, "it ends in time");
    counted.lock().expect("not poisoned").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_signed_and_tried_again() {
    let (url, received) = listener(vec![503, 200]);
    assert_eq!(deliver(hook(url), vec![pause()]).await, ["delivered"]);
    let (first, second) = (received.recv().expect("a request"), received.recv().expect("another"));
    let (head, body) = second.split_once("\r\n\r\n").expect("a body");
    assert!(first.ends_with(body), "the same again");
    let head = head.to_lowercase();
    assert!(head.starts_with("post /alerts "), "{head}");
    assert!(head.contains("authorization: bearer let-me-in"), "{head}");
    assert!(head.contains("content-type: application/json"), "{head}");
    let signature = webhook::sign("a secret", "1700000000", body);
    assert!(head.contains(&format!("x-mapwright-signature: sha256={signature}")), "{head}");
    let json: serde_json::Value = serde_json::from_str(body).expect("JSON");
    assert_eq!((&json["kind"], &json["crm"]), (&"pause_began".into(), &"salesforce".into()));
    assert_eq!((&json["code"], &json["version"]), (&"INVALID_SESSION_ID".into(), &1.into()));
    assert!(json["text"].as_str().is_some_and(|text| text.contains("is left alone until")), "{json}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_address_is_given_up_and_counted() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = Url::parse(&format!("http://{}/", socket.local_addr().expect("an address"))).expect("a URL");
    drop(socket);
    assert_eq!(deliver(hook(url), vec![pause()]).await, ["failed"]);
}

#[tokio::test]
async fn a_private_address_is_refused() {
    let url = Url::parse("https://10.0.0.8/alerts").expect("a URL");
    let error =
        Alerts::start(hook(url), HttpOptions::new(NOW, || 0.5), Arc::new(|_| {})).expect_err("refused");
    assert!(error.to_string().contains("private address"), "{error}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_program_gets_the_alert_on_its_standard_input() {
    let folder = tempfile::tempdir().expect("a folder");
    let argv = |script: &str| ["sh", "-c", script].map(str::to_owned).to_vec();
    let with = |script: &str, timeout| AlertSettings {
        command: Some(Command { argv: argv(script), folder: folder.path().to_owned() }),
        timeout,
        ..settings()
    };
    let long = Duration::from_secs(10);
    assert_eq!(deliver(with("cat > alert.json", long), vec![pause()]).await, ["delivered"]);
    let text = std::fs::read_to_string(folder.path().join("alert.json")).expect("a file");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(json["kind"], "pause_began");
    assert_eq!(deliver(with("exit 3", long), vec![pause()]).await, ["failed"]);
    let late = with("sleep 60", Duration::from_millis(50));
    assert_eq!(deliver(late, vec![pause()]).await, ["failed"], "it is killed when its time is up");
    let missing = AlertSettings {
        command: Some(Command { argv: vec!["./not-there".to_owned()], folder: folder.path().to_owned() }),
        ..settings()
    };
    assert_eq!(deliver(missing, vec![pause()]).await, ["failed"]);
}

#[tokio::test]
async fn without_a_target_nothing_happens() {
    Alerts::default().raise(pause());
}
