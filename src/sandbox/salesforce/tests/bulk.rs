use serde_json::{Value, json};

use super::{Lab, code};

/// A job that is closed with these rows, by its path.
async fn closed(lab: &Lab, rows: &str) -> String {
    let wanted = json!({"object": "Lead", "operation": "insert"});
    let (status, job) = lab.post("jobs/ingest", wanted).await;
    assert_eq!((status, &job["state"]), (200, &json!("Open")), "{job}");
    let path = format!("jobs/ingest/{}", job["id"].as_str().unwrap());
    let upload = lab.request("PUT", &format!("{path}/batches")).header("content-type", "text/csv");
    assert_eq!(lab.send(upload.body(rows.to_owned())).await.0, 201);
    let (status, job) = lab.patch(&path, json!({"state": "UploadComplete"})).await;
    assert_eq!((status, &job["state"]), (200, &json!("UploadComplete")), "{job}");
    path
}

/// The states that a job goes through, with its numbers at the end.
async fn worked_off(lab: &Lab, path: &str) -> (Vec<Value>, Value) {
    let mut states = Vec::new();
    loop {
        let job = lab.get(path).await.1;
        states.push(job["state"].clone());
        if states.len() > 2 {
            return (states, job);
        }
    }
}

#[tokio::test]
async fn a_job_is_aborted_before_its_rows_are_worked_on_and_not_after() {
    let lab = Lab::start().await;
    let (_, open) = lab.post("jobs/ingest", json!({"object": "Lead", "operation": "insert"})).await;
    let open = format!("jobs/ingest/{}", open["id"].as_str().unwrap());
    let (status, job) = lab.patch(&open, json!({"state": "Aborted"})).await;
    assert_eq!((status, &job["state"]), (200, &json!("Aborted")), "{job}");

    for (rows, failed) in [("LastName,Company\nDoe,Acme\n", 0), ("LastName,Company\nDoe,\n", 1)] {
        let path = closed(&lab, rows).await;
        let refused = lab.patch(&path, json!({"state": "Aborted"})).await;
        assert_eq!(code(&refused), (400, "INVALIDJOBSTATE"), "{rows}");
        let (passed, job) = worked_off(&lab, &path).await;
        assert_eq!(passed, ["UploadComplete", "InProgress", "JobComplete"], "{rows}");
        assert_eq!(job["numberRecordsFailed"], failed, "{job}");
    }
}
