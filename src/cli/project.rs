//! Finds, reads, checks and compiles a project.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

use crate::check::{Checked, Project as Typed};
use crate::config::Config;
use crate::diagnostic::{Code, Diagnostic, Suppressed, nearest};
use crate::plan::Plan;
use crate::schema::{Schema, Schemas};
use crate::source::{FileId, Side, Sources, Span};
use crate::syntax::ast;

/// The project that ships with the program.
pub(super) static SHIPPED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/mappings");

/// The name of the file that makes a folder a project.
pub(super) const CONFIG: &str = "mapwright.yaml";

/// A `.map` file longer than this is no work of a person: the longest sensible one is a few thousand lines.
pub(super) const MAX_MAP_BYTES: usize = 1024 * 1024;
/// A whole org's describe answers are a few megabytes of YAML.
const MAX_YAML_BYTES: usize = 16 * 1024 * 1024;

/// A project as read: everything that was found, right or wrong.
pub(super) struct Project {
    /// All files.
    pub(super) sources: Sources,
    /// The configuration, if it could be read.
    pub(super) config: Option<Config>,
    /// Both snapshots, if they could be read.
    pub(super) schemas: Option<Schemas>,
    /// The project, if it is without an error.
    pub(super) checked: Option<Checked<Typed>>,
    /// All findings in source order.
    pub(super) findings: Vec<Diagnostic>,
    /// Where the items stand that could be read, at least in part.
    pub(super) items: Vec<Span>,
    /// The warnings that a comment keeps quiet.
    pub(super) suppressed: Vec<Suppressed>,
    /// Its folder; `None` for the shipped one.
    pub(super) root: Option<PathBuf>,
}

impl Project {
    /// The plan, if the project is without an error.
    pub(super) fn plan(&self) -> Option<Plan> {
        let (checked, schemas) = (self.checked.as_ref()?, self.schemas.as_ref()?);
        Some(crate::plan::compile(checked, schemas, &self.sources))
    }
}

/// Finds the project's folder: the given one, or the nearest above that holds a `mapwright.yaml`.
pub(super) fn find(given: Option<&Path>) -> Result<PathBuf, String> {
    if let Some(dir) = given {
        return if dir.join(CONFIG).is_file() {
            Ok(dir.to_owned())
        } else {
            Err(format!(
                "`{}` holds no `{CONFIG}`; `mapwright init {}` writes a project there",
                dir.display(),
                dir.display()
            ))
        };
    }
    let here =
        std::env::current_dir().map_err(|error| format!("the current folder cannot be read: {error}"))?;
    here.ancestors().find(|dir| dir.join(CONFIG).is_file()).map(Path::to_owned).ok_or_else(|| {
        format!("no `{CONFIG}` here or in a folder above; `mapwright init` writes a project, `--project DIR` names one")
    })
}

/// Reads and checks the project in a folder.
pub(super) fn load(root: &Path) -> Project {
    load_edited(root, &BTreeMap::new())
}

/// Reads and checks the project in a folder, with these texts in place of files.
pub(super) fn load_edited(root: &Path, edited: &BTreeMap<String, String>) -> Project {
    let mut reader = Reader::default();
    let mut paths = Vec::new();
    collect(root, root, &mut paths, &mut reader);
    paths.extend(edited.keys().filter(|name| !root.join(name).exists()).cloned());
    paths.sort();
    let files = paths.into_iter().map(|name| {
        let bytes = match edited.get(&name) {
            Some(text) => Ok(text.clone().into_bytes()),
            None => read_file(&root.join(&name), limit(&name)),
        };
        (name, bytes)
    });
    let files: Vec<_> = files.collect();
    let mut project = reader.check(files);
    project.root = Some(root.to_owned());
    project
}

/// A project's configuration alone, with its file and what is wrong with it.
pub(super) fn config(root: &Path) -> (Sources, Option<Config>, Vec<Diagnostic>) {
    let path = root.join(CONFIG);
    let text = match read_map(&path, CONFIG) {
        Ok(text) => text,
        Err(unread) => {
            let (sources, findings) = *unread;
            return (sources, None, findings);
        }
    };
    let mut sources = Sources::new();
    let (config, findings) = crate::config::parse(&mut sources, CONFIG, &text);
    (sources, config, findings)
}

/// The name of the snapshot of a CRM.
pub(super) fn snapshot_name(side: Side) -> &'static str {
    match side {
        Side::Hubspot => "schema/hubspot.yaml",
        Side::Salesforce => "schema/salesforce.yaml",
    }
}

/// Whether a file of a project is a snapshot.
pub(super) fn is_snapshot(name: &str) -> bool {
    Side::ALL.into_iter().any(|side| snapshot_name(side) == name)
}

/// The text of a project's snapshot, `None` where there is none yet, or the finding that says why it cannot be had.
pub(super) fn snapshot(root: &Path, side: Side) -> Result<Option<String>, Box<(Sources, Vec<Diagnostic>)>> {
    let name = snapshot_name(side);
    let path = root.join(name);
    if path.exists() { read_text(&path, name, MAX_YAML_BYTES).map(Some) } else { Ok(None) }
}

/// The names of a project's `.map` files, relative to its folder.
pub(super) fn map_files(root: &Path) -> Vec<String> {
    let mut names = Vec::new();
    collect(root, root, &mut names, &mut Reader::default());
    names.retain(|name| name.strip_suffix(".map").is_some());
    names.sort();
    names
}

/// The text of a `.map` file, or the finding that says why it cannot be had, with its source.
pub(super) fn read_map(path: &Path, name: &str) -> Result<String, Box<(Sources, Vec<Diagnostic>)>> {
    read_text(path, name, MAX_MAP_BYTES)
}

fn read_text(path: &Path, name: &str, limit: usize) -> Result<String, Box<(Sources, Vec<Diagnostic>)>> {
    let mut reader = Reader::default();
    match read_file(path, limit).map(String::from_utf8) {
        Ok(Ok(text)) => return Ok(text),
        Ok(Err(error)) => reader.not_utf8(name, error),
        Err(ReadError::Io(error)) => reader.unreadable(name, &error),
        Err(ReadError::TooLarge { size, limit }) => reader.too_large(name, size, limit),
    }
    Err(Box::new((reader.sources, reader.findings)))
}

/// Writes a file whole or not at all: beside it first, so that a full disk does not cost the author the file. A link
/// stays one, and the rights of the file stay what they were.
pub(super) fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let path = path.canonicalize()?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    let rights = std::fs::metadata(&path)?.permissions();
    let written = std::fs::write(&beside, text)
        .and_then(|()| std::fs::set_permissions(&beside, rights))
        .and_then(|()| std::fs::rename(&beside, &path));
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}

/// Reads and checks the project that ships with the program.
pub(super) fn shipped() -> Project {
    let mut files = Vec::new();
    shipped_files(&SHIPPED, &mut files);
    files.sort_by(|a, b| a.0.cmp(&b.0));
    Reader::default().check(files)
}

fn shipped_files(dir: &'static Dir<'static>, files: &mut Vec<(String, Result<Vec<u8>, ReadError>)>) {
    for file in dir.files() {
        if let Some(name) = file.path().to_str().filter(|name| is_project_file(name)) {
            files.push((name.to_owned(), Ok(file.contents().to_vec())));
        }
    }
    dir.dirs().for_each(|dir| shipped_files(dir, files));
}

fn is_project_file(name: &str) -> bool {
    name == CONFIG
        || name.strip_suffix(".map").is_some()
        || ["schema/hubspot.yaml", "schema/salesforce.yaml"].contains(&name)
}

fn limit(name: &str) -> usize {
    if name.strip_suffix(".map").is_some() { MAX_MAP_BYTES } else { MAX_YAML_BYTES }
}

/// Why a file could not be read.
enum ReadError {
    Io(std::io::Error),
    TooLarge { size: u64, limit: usize },
}

fn read_file(path: &Path, limit: usize) -> Result<Vec<u8>, ReadError> {
    let facts = std::fs::metadata(path).map_err(ReadError::Io)?;
    // A folder has nothing to read, a pipe would be waited for, and a device may never end.
    if !facts.is_file() {
        let what = if facts.is_dir() { "it is a folder" } else { "it is no regular file" };
        return Err(ReadError::Io(std::io::Error::other(what)));
    }
    let size = facts.len();
    if size > limit as u64 {
        return Err(ReadError::TooLarge { size, limit });
    }
    std::fs::read(path).map_err(ReadError::Io)
}

/// Collects the names of a project's files, relative and with forward slashes. Hidden folders (`.git`, `.mapwright`)
/// and links to folders are left out, so that no circle can be walked.
fn collect(root: &Path, dir: &Path, names: &mut Vec<String>, reader: &mut Reader) {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) => return reader.unreadable(&relative(root, dir), &error),
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        let Ok(kind) = entry.file_type() else { continue };
        // A folder of such a name is a mistake, which reading it reports.
        if is_project_file(&relative(root, &path)) {
            names.push(relative(root, &path));
        } else if kind.is_dir() && !hidden {
            collect(root, &path, names, reader);
        }
    }
}

fn relative(root: &Path, path: &Path) -> String {
    shown(path.strip_prefix(root).unwrap_or(path))
}

/// A path with forward slashes.
pub(super) fn shown(path: &Path) -> String {
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// Gathers files and findings.
#[derive(Default)]
struct Reader {
    sources: Sources,
    findings: Vec<Diagnostic>,
    config: Option<Config>,
    hubspot: Option<Schema>,
    salesforce: Option<Schema>,
    trees: Vec<ast::File>,
}

impl Reader {
    fn check(mut self, files: Vec<(String, Result<Vec<u8>, ReadError>)>) -> Project {
        let names: Vec<String> = files.iter().map(|(name, _)| name.clone()).collect();
        for (name, bytes) in files {
            match bytes.map(String::from_utf8) {
                Ok(Ok(text)) => self.file(&name, text),
                Ok(Err(error)) => self.not_utf8(&name, error),
                Err(ReadError::Io(error)) => self.unreadable(&name, &error),
                Err(ReadError::TooLarge { size, limit }) => self.too_large(&name, size, limit),
            }
        }
        for name in [CONFIG, "schema/hubspot.yaml", "schema/salesforce.yaml"] {
            if !names.iter().any(|known| known == name) {
                self.missing(name);
            }
        }
        self.polled();
        let schemas =
            self.hubspot.zip(self.salesforce).map(|(hubspot, salesforce)| Schemas { hubspot, salesforce });
        let mut checked = None;
        // A field that could not be read would be missed in every mapping that uses it.
        let whole = !self.findings.iter().any(|finding| {
            finding.is_error() && self.sources.file(finding.span().file).name().starts_with("schema/")
        });
        if let Some(schemas) = schemas.as_ref().filter(|_| whole) {
            let (project, findings) = crate::check::check(&self.trees, schemas, &self.sources);
            self.findings.extend(findings);
            checked = project;
        }
        let sources = self.sources;
        let (findings, suppressed) = crate::check::suppress(&self.trees, &sources, self.findings);
        if findings.iter().any(Diagnostic::is_error) {
            checked = None;
        }
        let items = self.trees.iter().flat_map(|tree| &tree.items).map(ast::Item::span).collect();
        Project { config: self.config, schemas, checked, findings, items, suppressed, root: None, sources }
    }

    fn file(&mut self, name: &str, text: String) {
        match name {
            CONFIG => {
                let (config, findings) = crate::config::parse(&mut self.sources, name, &text);
                self.config = config;
                self.findings.extend(findings);
            }
            "schema/hubspot.yaml" | "schema/salesforce.yaml" => {
                let (schema, findings) = crate::schema::load(&mut self.sources, name, &text);
                self.findings.extend(findings);
                if name == "schema/hubspot.yaml" {
                    self.hubspot = schema;
                } else {
                    self.salesforce = schema;
                }
            }
            _ => {
                let file = self.sources.add(name, text);
                let text = self.sources.file(file).shared_text();
                let (tree, findings) = crate::syntax::parse(file, &text);
                self.trees.push(tree);
                self.findings.extend(findings);
            }
        }
    }

    /// Who is named in `poll: mappings:` must exist.
    fn polled(&mut self) {
        let items = self.trees.iter().flat_map(|tree| &tree.items);
        let names: Vec<&str> = items
            .filter_map(|item| match item {
                ast::Item::Mapping(mapping) => Some(mapping.name.value.as_str()),
                ast::Item::Sync(sync) => Some(sync.name.value.as_str()),
                _ => None,
            })
            .collect();
        let polled = self.config.iter().flat_map(|config| &config.polled);
        for polled in polled.filter(|polled| !names.contains(&polled.value.as_str())) {
            let message = format!("no mapping or sync is called `{}`", polled.value);
            let finding =
                Diagnostic::error(Code::YAML_UNKNOWN_KEY, polled.span, message).label("unknown name");
            self.findings.push(match nearest(&polled.value, names.iter().copied()) {
                Some(near) => finding.help(format!("did you mean `{near}`?")),
                None => finding.help("name one whose source is an object of Salesforce"),
            });
        }
    }

    fn finding(
        &mut self,
        code: Code,
        name: &str,
        shown: String,
        at: (usize, usize),
        message: String,
        help: &str,
    ) {
        let file: FileId = self.sources.add(name, shown);
        let span = Span::new(file, at.0, at.1);
        self.findings.push(Diagnostic::error(code, span, message).help(help));
    }

    fn not_utf8(&mut self, name: &str, error: std::string::FromUtf8Error) {
        // Shown up to the first byte that is wrong and a little further, with what cannot be read replaced.
        let good = error.utf8_error().valid_up_to();
        let bytes = error.into_bytes();
        let byte = bytes[good];
        let line = String::from_utf8_lossy(&bytes[..good]).split('\n').count();
        let end = bytes[good..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| good + end);
        let shown = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let message = format!("the file is not UTF-8: byte {} on line {line} is 0x{byte:02x}", good + 1);
        let help = "save the file as UTF-8; spreadsheets and old editors write Windows-1252 or UTF-16";
        self.finding(Code::FILE_NOT_UTF8, name, shown, (good, good + '\u{fffd}'.len_utf8()), message, help);
    }

    fn unreadable(&mut self, name: &str, error: &std::io::Error) {
        let message = format!("`{name}` cannot be read: {error}");
        self.finding(
            Code::FILE_UNREADABLE,
            name,
            String::new(),
            (0, 0),
            message,
            "check that it is a file and that you may read it",
        );
    }

    fn too_large(&mut self, name: &str, size: u64, limit: usize) {
        let message = format!("`{name}` has {size} bytes, and at most {limit} are read");
        self.finding(
            Code::FILE_TOO_LARGE,
            name,
            String::new(),
            (0, 0),
            message,
            "split it: all `.map` files of a project form one namespace",
        );
    }

    fn missing(&mut self, name: &str) {
        let (code, help) = if name == CONFIG {
            (Code::FILE_UNREADABLE, "`mapwright init DIR` writes one")
        } else {
            (
                Code::SCHEMA_MISSING,
                "copy a snapshot there, or start from the one that `mapwright init DIR` writes",
            )
        };
        self.finding(code, name, String::new(), (0, 0), format!("`{name}` is missing"), help);
    }
}
