//! `mapwright init`

use std::path::{Path, PathBuf};

use include_dir::Dir;

use super::output::Output;
use super::{Exit, project};

pub(super) fn run(dir: Option<&Path>, output: Output) -> Exit {
    let dir = dir.unwrap_or(Path::new("."));
    let files = shipped(&project::SHIPPED);
    // Nothing that is there is ever overwritten, and nothing is written where something is in the way.
    if let Some((taken, _)) = files.iter().find(|(name, _)| dir.join(name).exists()) {
        output.error(&format!("`{}` is already there; nothing was written", dir.join(taken).display()));
        return Exit::Usage;
    }
    for (name, contents) in files {
        let path = dir.join(&name);
        let parent = path.parent().unwrap_or(dir);
        if let Err(error) = std::fs::create_dir_all(parent).and_then(|()| std::fs::write(&path, contents)) {
            output.error(&format!("`{}` cannot be written: {error}", path.display()));
            return Exit::Usage;
        }
        output.note(&format!("wrote {}", path.display()));
    }
    output.note("next: `mapwright check`, then `mapwright demo` to see it run");
    Exit::Fine
}

fn shipped(dir: &Dir<'static>) -> Vec<(PathBuf, &'static [u8])> {
    let mut files: Vec<_> = dir.files().map(|file| (file.path().to_owned(), file.contents())).collect();
    dir.dirs().for_each(|dir| files.extend(shipped(dir)));
    files
}
