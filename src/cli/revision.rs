//! Which commit of a repository is checked out, read from its files: no program is run.

use std::path::{Path, PathBuf};

/// Symbolic references that follow one another; more are a circle.
const HOPS: usize = 5;

/// The commit that is checked out where a folder lies in a git repository.
pub(super) fn of(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    let git = folder.ancestors().find_map(|above| git_folder(&above.join(".git")))?;
    // A worktree keeps its own HEAD, and its branches in the common folder.
    let common = match std::fs::read_to_string(git.join("commondir")) {
        Ok(path) => git.join(path.trim()),
        Err(_) => git.clone(),
    };
    let mut text = std::fs::read_to_string(git.join("HEAD")).ok()?;
    for _ in 0..HOPS {
        let Some(name) = text.trim().strip_prefix("ref:").map(str::trim) else { return commit(&text) };
        if name.split('/').any(|part| part.is_empty() || part == "..") {
            return None;
        }
        text = std::fs::read_to_string(git.join(name))
            .or_else(|_| std::fs::read_to_string(common.join(name)))
            .ok()
            .or_else(|| packed(&common, name))?;
    }
    None
}

/// The folder that a `.git` is or names.
fn git_folder(path: &Path) -> Option<PathBuf> {
    if path.is_dir() {
        return Some(path.to_owned());
    }
    let text = std::fs::read_to_string(path).ok()?;
    let named = text.trim().strip_prefix("gitdir:")?.trim();
    Some(path.parent()?.join(named))
}

/// A reference of `packed-refs`: lines of a commit and a name.
fn packed(common: &Path, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(common.join("packed-refs")).ok()?;
    text.lines().find_map(|line| {
        let (commit, of) = line.split_once(' ')?;
        (of == name).then(|| commit.to_owned())
    })
}

/// A text that is a commit's hash: SHA-1 or SHA-256.
fn commit(text: &str) -> Option<String> {
    let text = text.trim();
    let good = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    good.then(|| text.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "0123456789abcdef0123456789abcdef01234567";
    const TWO: &str = "fedcba9876543210fedcba9876543210fedcba98";

    fn write(root: &Path, name: &str, text: &str) {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        std::fs::write(path, text).expect("written");
    }

    #[test]
    fn a_branch_a_packed_branch_and_a_detached_head() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        let project = root.join("deep/project");
        std::fs::create_dir_all(&project).expect("folders");
        assert_eq!(of(&project), None, "no repository");
        write(root, ".git/HEAD", "ref: refs/heads/main\n");
        assert_eq!(of(&project), None, "no commit yet");
        write(
            root,
            ".git/packed-refs",
            &format!("# pack-refs\n{ONE} refs/heads/main\n{TWO} refs/heads/other\n"),
        );
        assert_eq!(of(&project).as_deref(), Some(ONE));
        write(root, ".git/refs/heads/main", &format!("{TWO}\n"));
        assert_eq!(of(&project).as_deref(), Some(TWO), "a loose reference is the newer one");
        write(root, ".git/HEAD", &format!("{ONE}\n"));
        assert_eq!(of(&project).as_deref(), Some(ONE), "detached");
        write(root, ".git/HEAD", "ref: ../../etc/passwd\n");
        assert_eq!(of(&project), None);
    }

    #[test]
    fn a_worktree_has_its_branches_elsewhere() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        write(root, "main/.git/refs/heads/feature", &format!("{TWO}\n"));
        write(root, "main/.git/worktrees/tree/HEAD", "ref: refs/heads/feature\n");
        write(root, "main/.git/worktrees/tree/commondir", "../..\n");
        write(root, "tree/.git", "gitdir: ../main/.git/worktrees/tree\n");
        assert_eq!(of(&root.join("tree")).as_deref(), Some(TWO));
    }
}
