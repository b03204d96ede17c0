//! By a program, with the alert on its standard input.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::Command;

/// Runs the program once; it is killed when its time is up. What it prints is not read.
pub(super) async fn run(command: &Command, body: &str, timeout: Duration) -> Result<(), String> {
    let Some((program, args)) = command.argv.split_first() else {
        return Err("no program is named".to_owned());
    };
    let mut child = tokio::process::Command::new(program)
        .args(args)
        .current_dir(&command.folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("`{program}` cannot be started: {error}"))?;
    let work = async {
        if let Some(mut stdin) = child.stdin.take() {
            // A program that does not read its input is fine if it says so by its exit code.
            let _ = stdin.write_all(body.as_bytes()).await;
            let _ = stdin.write_all(b"\n").await;
        }
        child.wait().await
    };
    match tokio::time::timeout(timeout, work).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!("`{program}` ended with {status}")),
        Ok(Err(error)) => Err(format!("`{program}` cannot be waited for: {error}")),
        Err(_) => Err(format!("`{program}` was not done within {timeout:?}")),
    }
}
