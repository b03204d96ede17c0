//! Finds, reads, checks and compiles a project.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

use super::parts;
use crate::check::{Checked, Project as Typed};
use crate::config::{self, Config, PairFiles, SCHEMA};
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
    /// What was checked: one world for all pairs that have the same mappings and the same snapshots.
    pub(super) worlds: Vec<World>,
    /// `.map` files that no pair takes, so that nothing but their syntax was checked.
    pub(super) unused: Vec<String>,
    /// All findings in source order.
    pub(super) findings: Vec<Diagnostic>,
    /// Where the items stand that could be read, at least in part.
    pub(super) items: Vec<Span>,
    /// The pairs of HubSpot's objects that its mappings associate or read associations of.
    pub(super) associated: BTreeSet<(String, String)>,
    /// The warnings that a comment keeps quiet.
    pub(super) suppressed: Vec<Suppressed>,
    /// Its folder; `None` for the shipped one.
    pub(super) root: Option<PathBuf>,
}

/// Mappings and the snapshots that they are checked against.
pub(super) struct World {
    /// The pairs that have them; none where the configuration has no pair.
    pub(super) pairs: Vec<String>,
    /// Both snapshots, if they could be read.
    pub(super) schemas: Option<Schemas>,
    /// The mappings, if the project is without an error.
    pub(super) checked: Option<Checked<Typed>>,
}

impl World {
    /// The plan, if the project is without an error.
    pub(super) fn plan(&self, sources: &Sources) -> Option<Plan> {
        let (checked, schemas) = (self.checked.as_ref()?, self.schemas.as_ref()?);
        Some(crate::plan::compile(checked, schemas, sources))
    }
}

impl Project {
    /// Whether the project is without an error.
    pub(super) fn is_checked(&self) -> bool {
        self.worlds.iter().all(|world| world.checked.is_some())
    }

    /// The world of a pair; where all pairs have the same, none need be named. Says in words what is wrong.
    pub(super) fn world(&self, pair: Option<&str>) -> Result<&World, String> {
        match (pair, self.worlds.as_slice()) {
            (None, [one]) => Ok(one),
            (None, _) => Err(parts::which_pair(&self.pair_names())),
            (Some(name), worlds) => {
                let found = worlds.iter().find(|world| world.pairs.iter().any(|pair| pair == name));
                found.ok_or_else(|| parts::no_such_pair(name, &self.pair_names()))
            }
        }
    }

    fn pair_names(&self) -> Vec<String> {
        let pairs = self.config.iter().flat_map(|config| &config.pairs);
        pairs.map(|pair| pair.name.value.clone()).collect()
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

/// Reads and checks the project in a folder, for all pairs or for one.
pub(super) fn load(root: &Path, pair: Option<&str>) -> Project {
    load_edited(root, pair, &BTreeMap::new())
}

/// The same, with these texts in place of files.
pub(super) fn load_edited(root: &Path, pair: Option<&str>, edited: &BTreeMap<String, String>) -> Project {
    let mut reader = Reader { only: pair.map(str::to_owned), ..Reader::default() };
    let mut maps = Vec::new();
    collect(root, root, &mut maps, &mut reader);
    maps.sort();
    let read = |name: &str| match edited.get(name) {
        Some(text) => Ok(text.clone().into_bytes()),
        None => read_file(&root.join(name), limit(name)),
    };
    let mut project = reader.check(&maps, &read);
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

/// The name of the snapshot of a CRM, in the folder that a pair has its snapshots in.
pub(super) fn snapshot_name(folder: &str, side: Side) -> String {
    format!("{folder}/{}", SNAPSHOTS[usize::from(side == Side::Salesforce)])
}

/// The text of a snapshot, `None` where there is none yet, or the finding that says why it cannot be had.
pub(super) fn snapshot(root: &Path, name: &str) -> Result<Option<String>, Box<(Sources, Vec<Diagnostic>)>> {
    let path = root.join(name);
    if path.exists() { read_text(&path, name, MAX_YAML_BYTES).map(Some) } else { Ok(None) }
}

/// The names of a project's `.map` files, relative to its folder.
pub(super) fn map_files(root: &Path) -> Vec<String> {
    let mut names = Vec::new();
    collect(root, root, &mut names, &mut Reader::default());
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
/// stays one, and the rights of the file stay what they were. One that is not there is made, with its folder.
pub(super) fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let (path, rights) = match path.canonicalize() {
        Ok(path) => {
            let rights = std::fs::metadata(&path)?.permissions();
            (path, Some(rights))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
            (path.to_owned(), None)
        }
        Err(error) => return Err(error),
    };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    let written = std::fs::write(&beside, text)
        .and_then(|()| rights.map_or(Ok(()), |rights| std::fs::set_permissions(&beside, rights)))
        .and_then(|()| std::fs::rename(&beside, &path));
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}

/// Reads and checks the project that ships with the program.
pub(super) fn shipped() -> Project {
    let mut maps = Vec::new();
    shipped_maps(&SHIPPED, &mut maps);
    maps.sort();
    let read = |name: &str| {
        let file = SHIPPED.get_file(name).map(|file| file.contents().to_vec());
        file.ok_or_else(|| ReadError::Io(ErrorKind::NotFound.into()))
    };
    Reader::default().check(&maps, &read)
}

fn shipped_maps(dir: &Dir<'_>, names: &mut Vec<String>) {
    names.extend(
        dir.files().filter_map(|file| file.path().to_str().filter(|name| is_map(name)).map(str::to_owned)),
    );
    dir.dirs().for_each(|dir| shipped_maps(dir, names));
}

fn is_map(name: &str) -> bool {
    name.strip_suffix(".map").is_some()
}

fn limit(name: &str) -> usize {
    if is_map(name) { MAX_MAP_BYTES } else { MAX_YAML_BYTES }
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

/// Collects the names of a project's `.map` files, relative and with forward slashes. Hidden folders (`.git`, `.mapwright`)
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
        if is_map(&relative(root, &path)) {
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

/// How a file of the project is read, by its name.
type Read<'r> = &'r dyn Fn(&str) -> Result<Vec<u8>, ReadError>;

/// The two files of a folder with snapshots.
const SNAPSHOTS: [&str; 2] = ["hubspot.yaml", "salesforce.yaml"];

/// A folder with snapshots, as read.
#[derive(Default)]
struct Snapshots {
    /// The two texts; what could not be read is empty.
    texts: [String; 2],
    schemas: Option<Schemas>,
    /// Whether they are without an error: a field that could not be read would be missed in every mapping that uses it.
    whole: bool,
}

/// What the pairs of a world share.
struct Group<'p> {
    pairs: Vec<&'p PairFiles>,
    /// The places of its files in the list of trees.
    trees: Vec<usize>,
    folder: String,
}

/// The pairs that have the same files and equal snapshots.
fn groups<'p>(
    pairs: &'p [PairFiles],
    names: &[String],
    folders: &BTreeMap<String, Snapshots>,
) -> Vec<Group<'p>> {
    if pairs.is_empty() {
        return vec![Group {
            pairs: Vec::new(),
            trees: (0..names.len()).collect(),
            folder: SCHEMA.to_owned(),
        }];
    }
    let texts = |folder: &str| folders.get(folder).map(|snapshots| &snapshots.texts);
    let mut groups: Vec<Group<'p>> = Vec::new();
    for pair in pairs {
        let trees: Vec<usize> = (0..names.len()).filter(|index| pair.takes(&names[*index])).collect();
        let like = |group: &&mut Group<'p>| {
            let same = group.folder == pair.schema || texts(&group.folder) == texts(&pair.schema);
            same && group.trees == trees
        };
        match groups.iter_mut().find(like) {
            Some(group) => group.pairs.push(pair),
            None => groups.push(Group { pairs: vec![pair], trees, folder: pair.schema.clone() }),
        }
    }
    groups
}

/// The findings of all groups, each once. What is wrong with a file for some of its pairs alone names them.
fn merged(groups: &[Group<'_>], found: Vec<Vec<Diagnostic>>, trees: &[ast::File]) -> Vec<Diagnostic> {
    if groups.len() == 1 {
        return found.into_iter().flatten().collect();
    }
    let mut merged: Vec<(Diagnostic, Vec<usize>)> = Vec::new();
    for (group, findings) in found.into_iter().enumerate() {
        for finding in findings {
            let same = |(other, _): &&mut (Diagnostic, Vec<usize>)| {
                (other.code, other.span(), &other.message) == (finding.code, finding.span(), &finding.message)
            };
            match merged.iter_mut().find(same) {
                Some((_, groups)) => groups.push(group),
                None => merged.push((finding, vec![group])),
            }
        }
    }
    let named = |(mut finding, concerned): (Diagnostic, Vec<usize>)| {
        let file = finding.span().file;
        let has = |group: &Group<'_>| group.trees.iter().any(|tree| trees[*tree].file == file);
        if concerned.len() < groups.iter().filter(|group| has(group)).count() {
            let pairs = concerned.iter().flat_map(|group| &groups[*group].pairs);
            let pairs: Vec<String> = pairs.map(|pair| format!("`{}`", pair.name.value)).collect();
            finding.message = format!("{} (for {})", finding.message, pairs.join(", "));
        }
        finding
    };
    merged.into_iter().map(named).collect()
}

/// Gathers files and findings.
#[derive(Default)]
struct Reader {
    sources: Sources,
    findings: Vec<Diagnostic>,
    config: Option<Config>,
    trees: Vec<ast::File>,
    /// The pair whose mappings are checked; all of them without one.
    only: Option<String>,
}

impl Reader {
    fn check(mut self, maps: &[String], read: Read<'_>) -> Project {
        if let Some(text) = self.text(CONFIG, read) {
            let (config, findings) = crate::config::parse(&mut self.sources, CONFIG, &text);
            self.config = config;
            self.findings.extend(findings);
        }
        for name in maps {
            let Some(text) = self.text(name, read) else { continue };
            let file = self.sources.add(name.as_str(), text);
            let text = self.sources.file(file).shared_text();
            let (tree, findings) = crate::syntax::parse(file, &text);
            self.trees.push(tree);
            self.findings.extend(findings);
        }
        self.polled();
        let mut pairs = self.config.as_ref().map_or_else(Vec::new, |config| config.pairs.clone());
        if let Some(only) = &self.only {
            pairs.retain(|pair| pair.name.value == *only);
        }
        self.places(&pairs, maps);
        let (worlds, unused) = self.worlds(&pairs, read);
        self.finish(worlds, unused)
    }

    fn finish(self, mut worlds: Vec<World>, unused: Vec<String>) -> Project {
        let sources = self.sources;
        let (findings, suppressed) = crate::check::suppress(&self.trees, &sources, self.findings);
        if findings.iter().any(Diagnostic::is_error) {
            for world in &mut worlds {
                world.checked = None;
            }
        }
        let items = self.trees.iter().flat_map(|tree| &tree.items).map(ast::Item::span).collect();
        let associated = crate::check::associated(
            self.trees.iter().filter(|tree| !unused.contains(&sources.file(tree.file).name().to_owned())),
        );
        let (config, root) = (self.config, None);
        Project { sources, config, worlds, unused, findings, items, associated, suppressed, root }
    }

    /// Checks the mappings of every pair against its snapshots; those that have the same, once.
    fn worlds(&mut self, pairs: &[PairFiles], read: Read<'_>) -> (Vec<World>, Vec<String>) {
        let name = |tree: &ast::File| self.sources.file(tree.file).name().to_owned();
        let names: Vec<String> = self.trees.iter().map(name).collect();
        let mut folders: BTreeMap<String, Snapshots> = BTreeMap::new();
        let wanted = pairs.iter().map(|pair| pair.schema.clone());
        for folder in wanted.chain(pairs.is_empty().then(|| SCHEMA.to_owned())) {
            if let Entry::Vacant(place) = folders.entry(folder) {
                let snapshots = self.snapshots(place.key(), read);
                place.insert(snapshots);
            }
        }
        let groups = groups(pairs, &names, &folders);
        let unused = (0..names.len()).filter(|index| !groups.iter().any(|group| group.trees.contains(index)));
        let unused = unused.map(|index| names[index].clone()).collect();
        let mut found = Vec::new();
        let mut worlds = Vec::new();
        for group in &groups {
            // INVARIANT: every group's folder was read above.
            let Some(snapshots) = folders.get(&group.folder) else { continue };
            let (mut checked, mut said) = (None, Vec::new());
            if let Some(schemas) = snapshots.schemas.as_ref().filter(|_| snapshots.whole) {
                let (project, findings) = if group.trees.len() == self.trees.len() {
                    crate::check::check(&self.trees, schemas, &self.sources)
                } else {
                    let trees: Vec<_> = group.trees.iter().map(|tree| self.trees[*tree].clone()).collect();
                    crate::check::check(&trees, schemas, &self.sources)
                };
                (checked, said) = (project, findings);
            }
            found.push(said);
            let pairs = group.pairs.iter().map(|pair| pair.name.value.clone()).collect();
            worlds.push(World { pairs, schemas: snapshots.schemas.clone(), checked });
        }
        self.findings.extend(merged(&groups, found, &self.trees));
        (worlds, unused)
    }

    /// Reads a folder with snapshots.
    fn snapshots(&mut self, folder: &str, read: Read<'_>) -> Snapshots {
        let mut snapshots = Snapshots { whole: true, ..Snapshots::default() };
        let before = self.findings.len();
        let schemas: Vec<Option<Schema>> = SNAPSHOTS
            .iter()
            .zip(&mut snapshots.texts)
            .map(|(file, kept)| {
                let name = format!("{folder}/{file}");
                let text = self.text(&name, read)?;
                let (schema, findings) = crate::schema::load(&mut self.sources, &name, &text);
                self.findings.extend(findings);
                *kept = text;
                schema
            })
            .collect();
        snapshots.whole = !self.findings[before..].iter().any(Diagnostic::is_error);
        if let Ok([Some(hubspot), Some(salesforce)]) = <[Option<Schema>; 2]>::try_from(schemas) {
            snapshots.schemas = Some(Schemas { hubspot, salesforce });
        }
        snapshots
    }

    /// The text of a file, or a finding that says why it cannot be had.
    fn text(&mut self, name: &str, read: Read<'_>) -> Option<String> {
        match read(name).map(String::from_utf8) {
            Ok(Ok(text)) => return Some(text),
            Ok(Err(error)) => self.not_utf8(name, error),
            Err(ReadError::Io(error)) if error.kind() == ErrorKind::NotFound && !is_map(name) => {
                self.missing(name);
            }
            Err(ReadError::Io(error)) => self.unreadable(name, &error),
            Err(ReadError::TooLarge { size, limit }) => self.too_large(name, size, limit),
        }
        None
    }

    /// Where a pair says its mappings are, there must be one.
    fn places(&mut self, pairs: &[PairFiles], maps: &[String]) {
        for place in pairs.iter().filter_map(|pair| pair.mappings.as_ref()).flatten() {
            if maps.iter().any(|name| config::holds(&place.value, name)) {
                continue;
            }
            let message = format!("`{}` is no `.map` file and no folder with one", place.value);
            let finding =
                Diagnostic::error(Code::YAML_BAD_VALUE, place.span, message).label("holds no mapping");
            let folders = maps.iter().filter_map(|name| name.rsplit_once('/').map(|(folder, _)| folder));
            self.findings.push(match nearest(&place.value, maps.iter().map(String::as_str).chain(folders)) {
                Some(near) => finding.help(format!("did you mean `{near}`?")),
                None => finding.help("name a folder or a `.map` file, from the project's folder"),
            });
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
                "`mapwright schema pull` writes it from the CRM; `mapwright init DIR` writes one to start from",
            )
        };
        self.finding(code, name, String::new(), (0, 0), format!("`{name}` is missing"), help);
    }
}
