//! The claim on a store: one process serves it.
//!
//! SQLite lets several processes write in turn, and short commands do so beside a server. Two servers would be two
//! workers of one name: each gives back the other's leases when it starts, and both write the same records.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use super::StoreError;

/// Held by the process that serves a store. The operating system gives it back when the process ends, however it ends.
#[derive(Debug)]
pub struct Claim {
    /// Locked for as long as it is open.
    _file: File,
}

impl Claim {
    /// Claims the store in a file, whose folder exists.
    pub fn of(store: &Path) -> Result<Self, StoreError> {
        let path = beside(store);
        let failed =
            |error: std::io::Error| StoreError::Open { path: path.clone(), reason: error.to_string() };
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: store.to_path_buf() }),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

/// A file of its own: SQLite locks parts of the database file itself.
fn beside(store: &Path) -> PathBuf {
    let mut name = store.file_name().unwrap_or_default().to_os_string();
    name.push(".lock");
    store.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_served_once_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let (store, other) = (folder.path().join("store.db"), folder.path().join("other.db"));
        let first = Claim::of(&store).expect("the first");
        let error = Claim::of(&store).expect_err("the second");
        assert!(matches!(error, StoreError::InUse { .. }), "{error}");
        let _other = Claim::of(&other).expect("another store");
        drop(first);
        Claim::of(&store).expect("after the first");
    }

    #[test]
    fn a_folder_that_is_not_there_cannot_be_claimed() {
        let error = Claim::of(Path::new("/nowhere/at/all/store.db")).expect_err("no folder");
        assert!(matches!(error, StoreError::Open { .. }), "{error}");
    }
}
