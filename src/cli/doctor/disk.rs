//! Whether there is room for the store to grow.

use std::path::Path;

use super::report::Report;

/// Below this a busy day may fill the disk.
const FEW: u64 = 1 << 30;

/// Below this the write-ahead log alone may.
const TOO_FEW: u64 = 100 << 20;

/// Looks at the file system under the store's folder, or where that folder is going to be.
pub(super) fn check(store: &Path, report: &mut Report) {
    let folder = store.ancestors().skip(1).find(|folder| folder.is_dir());
    // A path without a folder is a file of this one.
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match free(folder) {
        Ok(free) => judge(folder, free, report),
        Err(error) => report.warning(
            "disk",
            format!("how much is free under `{}` cannot be told: {error}", folder.display()),
            "look yourself (`df`)",
        ),
    }
}

/// Why a store could not be made at a path, if that shows: what is there of its folders is no folder, or may not be written.
pub(super) fn unmakeable(store: &Path) -> Option<String> {
    let there = store.ancestors().skip(1).find(|path| path.exists())?;
    let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
    if !there.is_dir() {
        return Some(format!("`{}` is no folder", there.display()));
    }
    may_write(there).err().map(|error| format!("`{}`: {error}", there.display()))
}

#[cfg(unix)]
fn may_write(folder: &Path) -> std::io::Result<()> {
    use rustix::fs::Access;
    Ok(rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK)?)
}

#[cfg(not(unix))]
fn may_write(folder: &Path) -> std::io::Result<()> {
    if folder.metadata()?.permissions().readonly() {
        return Err(std::io::ErrorKind::PermissionDenied.into());
    }
    Ok(())
}

fn judge(folder: &Path, free: u64, report: &mut Report) {
    let message = format!("{} are free under `{}`, where the store is", words(free), folder.display());
    let help = "make room, or let less be kept (`store: keep:`): a store that cannot grow takes no event, and HubSpot \
                sends it again for a day at most";
    match free {
        free if free < TOO_FEW => report.problem("disk", message, help),
        free if free < FEW => report.warning("disk", message, help),
        _ => report.ok("disk", message),
    }
}

/// What whoever runs this may still write there, in bytes.
#[cfg(unix)]
fn free(folder: &Path) -> std::io::Result<u64> {
    let facts = rustix::fs::statvfs(folder)?;
    Ok(facts.f_bavail.saturating_mul(facts.f_frsize))
}

#[cfg(not(unix))]
fn free(_: &Path) -> std::io::Result<u64> {
    Err(std::io::ErrorKind::Unsupported.into())
}

fn words(bytes: u64) -> String {
    match bytes {
        bytes if bytes < 10 << 30 => format!("{} MiB", bytes >> 20),
        bytes => format!("{} GiB", bytes >> 30),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_cannot_be_made() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("file"), "").expect("a file");
        assert_eq!(unmakeable(&folder.path().join("new/deep/store.db")), None);
        let why = unmakeable(&folder.path().join("file/store.db")).expect("a reason");
        assert!(why.ends_with("file` is no folder"), "{why}");
    }

    fn said(free: u64) -> String {
        let mut report = Report::default();
        judge(Path::new("/var/lib/mapwright"), free, &mut report);
        let line = &report.json()["checks"][0];
        format!("{}: {}", line["level"].as_str().expect("a level"), line["message"].as_str().expect("a text"))
    }

    #[test]
    fn little_room_is_told_before_there_is_none() {
        let place = "are free under `/var/lib/mapwright`, where the store is";
        assert_eq!(said(47 << 30), format!("ok: 47 GiB {place}"));
        assert_eq!(said(FEW), format!("ok: 1024 MiB {place}"));
        assert_eq!(said(FEW - 1), format!("warning: 1023 MiB {place}"));
        assert_eq!(said(TOO_FEW), format!("warning: 100 MiB {place}"));
        assert_eq!(said(TOO_FEW - 1), format!("problem: 99 MiB {place}"));
        assert_eq!(said(0), format!("problem: 0 MiB {place}"));
    }

    #[test]
    fn there_is_room_here() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(free(folder.path()).expect("known") > 0);
        let mut report = Report::default();
        check(&folder.path().join("not/there/yet.db"), &mut report);
        let message = report.json()["checks"][0]["message"].as_str().expect("a text").to_owned();
        assert!(message.contains(&format!("under `{}`", folder.path().display())), "{message}");
    }
}
