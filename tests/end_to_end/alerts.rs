//! Alerts from the real binary: to a program and to a web address.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::{Value as Json, json};

use crate::stage::{Serve, Stage};

/// What the program was handed, a line each.
fn told(stage: &Stage) -> Vec<Json> {
    let text = std::fs::read_to_string(stage.world.path("alerts.ndjson")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn by_program(stage: &Stage) {
    let config = stage.world.read("mapwright.yaml");
    let alerts = "\nalerts:\n  command: [\"sh\", \"-c\", \"cat >> alerts.ndjson\"]\n";
    stage.world.write("mapwright.yaml", format!("{config}{alerts}"));
}

fn metric(serve: &Serve) -> u64 {
    serve.metric("mapwright_alerts_total{result=\"delivered\"}")
}

#[test]
fn parked_records_are_told_once_and_together() {
    let stage = Stage::set();
    by_program(&stage);
    let serve = stage.serve();
    stage.qualify("103");
    serve.until("it is told", || !told(&stage).is_empty());
    let alert = told(&stage).remove(0);
    assert_eq!((&alert["kind"], &alert["mapping"]), (&json!("parked"), &json!("mql_to_lead")));
    assert_eq!((&alert["line"], &alert["count"]), (&json!("mql_to_lead.map:22"), &json!(1)));
    assert_eq!(alert["records"][0]["record"], "hubspot.contact 103");
    let list = stage.run(&["parked", "list", "--json"]).fine().json();
    assert_eq!(alert["records"][0]["correlation_id"], list[0]["correlation_id"]);
    assert!(!alert.to_string().contains("twice@"), "{alert}");

    // Another one within the minute waits for its end, here the end of the process.
    stage.run(&["parked", "retry", &list[0]["id"].to_string()]).fine();
    serve.until("it is parked again", || {
        let parked = stage.run(&["parked", "list", "--json"]).fine().json();
        parked.as_array().is_some_and(|parked| parked.len() == 1 && parked[0]["id"] != list[0]["id"])
    });
    serve.idle();
    assert_eq!((told(&stage).len(), metric(&serve)), (1, 1));
    assert_eq!(serve.terminate().0, Some(0));
    assert_eq!(told(&stage).len(), 2);
}

#[test]
fn a_rotated_token_is_told_once_and_signed() {
    let stage = Stage::set();
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook", socket.local_addr().expect("an address"));
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&bodies);
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = socket.accept() {
            let mut bytes = Vec::new();
            let mut chunk = [0_u8; 4096];
            while !whole(&bytes) {
                match stream.read(&mut chunk) {
                    Ok(read) if read > 0 => bytes.extend_from_slice(&chunk[..read]),
                    _ => break,
                }
            }
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
            into.lock().expect("not poisoned").push(String::from_utf8_lossy(&bytes).into_owned());
        }
    });
    let config = stage.world.read("mapwright.yaml");
    let alerts = format!("\nalerts:\n  webhook:\n    url: {url}\n    secret: a-local-secret\n");
    stage.world.write("mapwright.yaml", format!("{config}{alerts}"));
    let serve = stage.serve();
    stage.portal("PUT", "token", &json!({"token": "pat-na1-new"})).fine();
    stage.qualify("101");
    let kinds = || {
        let bodies = bodies.lock().expect("not poisoned");
        let body =
            |text: &String| text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
        bodies.iter().filter_map(|text| serde_json::from_str(&body(text)).ok()).collect::<Vec<Json>>()
    };
    serve.until("the pause is told", || !kinds().is_empty());
    let alert = &kinds()[0];
    assert_eq!((&alert["kind"], &alert["crm"]), (&json!("pause_began"), &json!("hubspot")));
    assert_eq!(alert["reason"], "unauthorised");
    assert!(alert["help"].as_str().is_some_and(|help| help.contains("renew")), "{alert}");
    let head = bodies.lock().expect("not poisoned")[0].to_lowercase();
    assert!(head.contains("x-mapwright-signature: sha256="), "{head}");
    assert_eq!(serve.metric("mapwright_parked"), 0);
    assert_eq!(serve.metric("mapwright_events_pending"), 1);
}

/// Whether a request is there with its body.
fn whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    length.is_some_and(|length: usize| body.len() >= length)
}
