//! What the CRMs say about their objects right now, beside the snapshots of the project.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::output::Output;
use super::project::{self, Project};
use super::{Exit, parts};
use crate::config::SCHEMA;
use crate::crm::Describe;
use crate::crm::hubspot::scopes::OWNERS;
use crate::diagnostic::{Code, nearest};
use crate::schema::{
    self, Change, DescribedObject, DescribedOwner, FieldType, Schema, Schemas, Section, Taken,
};
use crate::source::{Side, Sources};
use crate::types::{CrmError, CrmErrorKind};

/// New objects lead to others by their relationships; a path in a mapping is no longer than this.
const ROUNDS: usize = 6;

/// What both CRMs of a pair say.
pub(super) struct Live {
    /// The pair.
    pub(super) pair: String,
    /// Its snapshots.
    pub(super) snapshots: Vec<Snapshot>,
}

/// A snapshot, before and after.
pub(super) struct Snapshot {
    /// Its name in the project.
    pub(super) name: String,
    /// Its text; `None` where there is none yet.
    pub(super) old: Option<String>,
    /// Its text as the CRM says now.
    pub(super) new: String,
    /// What is different.
    pub(super) changes: Vec<Change>,
}

/// What is to be asked.
pub(super) struct Wanted<'w> {
    /// Whose snapshots.
    pub(super) sides: &'w [Side],
    /// Which pair.
    pub(super) pair: Option<&'w str>,
    /// Objects to add, as the caller wrote them.
    pub(super) objects: &'w [String],
    /// Every object that a mapping could be about.
    pub(super) all: bool,
    /// Objects that mappings name and the snapshots lack, and the sections that they lack.
    pub(super) missing: bool,
}

/// Asks the CRMs of a project for what they say; writes nothing.
pub(super) async fn take(root: &Path, wanted: &Wanted<'_>, output: Output) -> Result<Live, Exit> {
    let configured = parts::configured(Some(root), wanted.pair, output)?;
    let pair = configured.pair.name.clone();
    let folder = folder(root, &pair);
    let listed = owners(root);
    let mut asked = Vec::new();
    for side in Side::ALL {
        asked.push(Asked::read(root, &folder, side, output)?);
    }
    let schemas = Schemas { hubspot: asked[0].schema.clone(), salesforce: asked[1].schema.clone() };
    let clients = parts::clients_of(&configured, schemas, output).await?;
    if wanted.sides.contains(&Side::Hubspot) {
        clients.admitted(output).await?;
    }
    for asked in asked.iter_mut().filter(|asked| wanted.sides.contains(&asked.side)) {
        let crm = clients.describer(asked.side);
        asked.crm = Some(crm);
        asked.known(output).await?;
        asked.added(wanted, output).await?;
        asked.owners(wanted.missing, listed, output).await?;
    }
    if wanted.missing {
        fill(root, &pair, &mut asked, output).await?;
    }
    label(root, &pair, wanted.missing, &mut asked, output).await?;
    let asked = asked.into_iter().filter(|asked| asked.crm.is_some());
    let snapshots = asked.map(|asked| asked.finish(output)).collect::<Result<Vec<_>, _>>()?;
    Ok(Live { pair, snapshots })
}

/// The folder of a pair's snapshots.
pub(super) fn folder(root: &Path, pair: &str) -> String {
    let (_, config, _) = project::config(root);
    let pairs = config.into_iter().flat_map(|config| config.pairs);
    pairs
        .into_iter()
        .find(|files| files.name.value == pair)
        .map_or_else(|| SCHEMA.to_owned(), |files| files.schema)
}

/// Whether the snapshots list owners.
pub(super) fn owners(root: &Path) -> bool {
    project::config(root).1.is_some_and(|config| config.owners)
}

/// Adds the objects that the mappings name and the snapshots lack, and those that their paths lead to.
async fn fill(root: &Path, pair: &str, asked: &mut [Asked], output: Output) -> Result<(), Exit> {
    let mut tried = BTreeSet::new();
    for _ in 0..ROUNDS {
        let mut edited = BTreeMap::new();
        for asked in &*asked {
            edited.insert(asked.name.clone(), asked.text(output)?);
        }
        let project = project::load_edited(root, Some(pair), &edited);
        let missing: Vec<_> = missing(&project).into_iter().filter(|one| tried.insert(one.clone())).collect();
        if missing.is_empty() {
            return Ok(());
        }
        for (side, name) in missing {
            let one = asked.iter_mut().find(|asked| asked.side == side && asked.crm.is_some());
            if let Some(one) = one {
                // What the CRM does not have is the checker's to report.
                one.describe(&name, &name, output).await?;
            }
        }
    }
    Ok(())
}

/// Asks for the labels of the associations that the snapshots list and, for a pull, that the mappings are about.
async fn label(
    root: &Path,
    pair: &str,
    missing: bool,
    asked: &mut [Asked],
    output: Output,
) -> Result<(), Exit> {
    let mut pairs = BTreeSet::new();
    for asked in asked.iter() {
        let known = asked.schema.objects.values();
        let known = known.flat_map(|from| from.associations.keys().map(|to| (from.name.clone(), to.clone())));
        pairs.extend(known);
    }
    if missing {
        pairs.extend(project::load(root, Some(pair)).associated);
    }
    for asked in asked.iter_mut().filter(|asked| asked.side == Side::Hubspot) {
        asked.labels(&pairs, output).await?;
    }
    Ok(())
}

/// The objects that mappings use and the snapshots do not have.
fn missing(project: &Project) -> BTreeSet<(Side, String)> {
    let mut missing = BTreeSet::new();
    for finding in &project.findings {
        if finding.code == Code::UNKNOWN_OBJECT {
            let (span, file) = (finding.span(), project.sources.file(finding.span().file));
            let before = &file.text()[..span.start as usize];
            let side = Side::ALL.into_iter().find(|side| before.ends_with(&format!("{}.", side.word())));
            let name = project.sources.slice(span).trim_matches('`').to_owned();
            missing.extend(side.map(|side| (side, name)));
        }
        if finding.code == Code::BAD_PATH {
            missing.extend(finding.labels.iter().skip(1).flat_map(|label| led_to(project, label.span)));
        }
    }
    missing
}

/// The objects that a reference field leads to, by its place in a snapshot.
fn led_to(project: &Project, at: crate::source::Span) -> Vec<(Side, String)> {
    let worlds = project.worlds.iter().filter_map(|world| world.schemas.as_ref());
    let schemas = worlds.flat_map(|schemas| [&schemas.hubspot, &schemas.salesforce]);
    let fields = schemas.flat_map(|schema| {
        schema.objects.values().flat_map(|object| object.fields.values()).map(|field| (schema.side, field))
    });
    let here = fields.filter(|(_, field)| field.span == at);
    here.flat_map(|(side, field)| match &field.kind {
        FieldType::Reference { to } => to.iter().map(|name| (side, name.clone())).collect(),
        _ => Vec::new(),
    })
    .collect()
}

/// One CRM, and what it said so far.
struct Asked {
    side: Side,
    name: String,
    crm: Option<Arc<dyn Describe>>,
    old: Option<String>,
    schema: Schema,
    objects: Vec<DescribedObject>,
    gone: Vec<String>,
    owners: Section<Vec<DescribedOwner>>,
}

impl Asked {
    /// Reads the snapshot that is there; one with an error cannot be brought up to date.
    fn read(root: &Path, folder: &str, side: Side, output: Output) -> Result<Self, Exit> {
        let name = project::snapshot_name(folder, side);
        let old = project::snapshot(root, &name).map_err(|unread| {
            output.findings(&unread.0, &unread.1);
            Exit::Findings
        })?;
        let mut sources = Sources::new();
        let text = old.clone().unwrap_or_else(|| empty(side));
        let (schema, findings) = schema::load(&mut sources, &name, &text);
        if let Some(schema) = schema.filter(|schema| findings.is_empty() && schema.side == side) {
            let (objects, gone, owners) = (Vec::new(), Vec::new(), Section::AsItIs);
            return Ok(Self { side, name, crm: None, old, schema, objects, gone, owners });
        }
        output.findings(&sources, &findings);
        output.error(&format!("`{name}` is no snapshot of {} that could be compared", side.label()));
        Err(Exit::Findings)
    }

    /// Asks for the objects that the snapshot has. Events of a timeline are no objects that HubSpot describes.
    async fn known(&mut self, output: Output) -> Result<(), Exit> {
        let known = self.schema.objects.values().filter(|object| object.timeline.is_none());
        let known: Vec<(String, String)> =
            known.map(|object| (object.name.clone(), object.api_name.clone())).collect();
        for (name, api_name) in known {
            if !self.describe(&name, &api_name, output).await? {
                self.gone.push(name);
            }
        }
        Ok(())
    }

    /// Asks for the objects to add.
    async fn added(&mut self, wanted: &Wanted<'_>, output: Output) -> Result<(), Exit> {
        let mut names: Vec<String> = Vec::new();
        for object in wanted.objects {
            match object.split_once('.') {
                Some((side, name)) if side == self.side.word() => names.push(name.to_owned()),
                Some((side, _)) if wanted.sides.iter().any(|known| known.word() == side) => {}
                Some((side, _)) if Side::ALL.iter().any(|known| known.word() == side) => {
                    output.error(&format!(
                        "`{object}` is of {side}, which is not asked here: leave out the CRM, or ask {side}"
                    ));
                    return Err(Exit::Usage);
                }
                _ if wanted.sides.len() == 1 => names.push(object.clone()),
                _ => {
                    output.error(&format!(
                        "whose object is `{object}`? write `hubspot.{object}` or `salesforce.{object}`"
                    ));
                    return Err(Exit::Usage);
                }
            }
        }
        for name in &names {
            if !self.has(name) && !self.describe(name, name, output).await? {
                let known = self.names(output).await?;
                let mut message =
                    format!("{} has no object `{name}`, or does not show it", self.side.label());
                if let Some(near) = nearest(name, known.iter().map(String::as_str)) {
                    message = format!("{message}; did you mean `{near}`?");
                }
                output.error(&message);
                return Err(Exit::Usage);
            }
        }
        if wanted.all {
            for name in self.names(output).await? {
                if !self.has(&name) {
                    output.note(&format!("asking {} about {name}", self.side.label()));
                    self.describe(&name, &name, output).await?;
                }
            }
        }
        Ok(())
    }

    /// Asks who can own records, where the snapshot says it or is to say it. A user who may not see it is told so, and the
    /// section stays as it is.
    async fn owners(&mut self, missing: bool, listed: bool, output: Output) -> Result<(), Exit> {
        let Some(crm) = &self.crm else { return Ok(()) };
        if !listed {
            if missing {
                self.owners = Section::LeftOut;
            }
            return Ok(());
        }
        if !missing && self.schema.owners.is_none() {
            return Ok(());
        }
        match crm.owners().await {
            Ok(owners) => self.owners = Section::Taken(owners),
            Err(error) if error.kind == CrmErrorKind::Forbidden => {
                let need = match self.side {
                    Side::Hubspot => &format!("grant the scope `{OWNERS}` to HubSpot's app"),
                    Side::Salesforce => "the integration's user needs to see `User` and `Group`",
                };
                output.note(&format!(
                    "{} does not show its owners, so `owners:` of `{}` stays as it is: {need}, or write \
                     `snapshots: {{ owners: false }}` into `mapwright.yaml`",
                    self.side.label(),
                    self.name
                ));
            }
            Err(error) => return Err(failed(&error, "its owners", output)),
        }
        Ok(())
    }

    /// Asks for the labels of associations; what the app may not see stays as it is.
    async fn labels(&mut self, pairs: &BTreeSet<(String, String)>, output: Output) -> Result<(), Exit> {
        let Some(crm) = &self.crm else { return Ok(()) };
        let mut found = Vec::new();
        for (from, to) in pairs {
            let place = |name: &String| self.objects.iter().position(|object| object.name == *name);
            let (Some(from_at), Some(to_at)) = (place(from), place(to)) else { continue };
            match crm.association_labels(&self.objects[from_at], &self.objects[to_at]).await {
                Ok(Some(labels)) => found.push((from_at, to.clone(), labels)),
                Ok(None) => {}
                Err(error) if error.kind == CrmErrorKind::Forbidden => output.note(&format!(
                    "{} does not show the labels of associations of {from} with {to}, so they stay as they are in \
                     `{}`: the app needs to read both objects",
                    self.side.label(),
                    self.name
                )),
                Err(error) => {
                    return Err(failed(&error, &format!("the associations of {from} with {to}"), output));
                }
            }
        }
        for (from, to, labels) in found {
            self.objects[from].associations.push((to, labels));
        }
        Ok(())
    }

    fn has(&self, name: &str) -> bool {
        self.objects.iter().any(|object| object.name == name || object.api_name == name)
    }

    async fn names(&self, output: Output) -> Result<Vec<String>, Exit> {
        let Some(crm) = &self.crm else { return Ok(Vec::new()) };
        crm.object_names().await.map_err(|error| failed(&error, "the list of objects", output))
    }

    /// Asks about one object; whether the CRM has it.
    async fn describe(&mut self, name: &str, api_name: &str, output: Output) -> Result<bool, Exit> {
        let Some(crm) = &self.crm else { return Ok(false) };
        let answer = crm.describe_object(api_name).await;
        let described = answer.map_err(|error| failed(&error, &format!("`{api_name}`"), output))?;
        let Some(mut object) = described else { return Ok(false) };
        name.clone_into(&mut object.name);
        self.objects.push(object);
        Ok(true)
    }

    fn text(&self, output: Output) -> Result<String, Exit> {
        let Some(crm) = &self.crm else {
            return Ok(self.old.clone().unwrap_or_else(|| empty(self.side)));
        };
        let taken = Taken {
            side: self.side,
            api_version: crm.api_version().to_owned(),
            objects: self.objects.clone(),
            gone: self.gone.clone(),
            owners: self.owners.clone(),
        };
        schema::update(self.old.as_deref(), &taken).map_err(|message| {
            output.error(&message);
            Exit::Remote
        })
    }

    fn finish(self, output: Output) -> Result<Snapshot, Exit> {
        let new = self.text(output)?;
        let (now, _) = schema::load(&mut Sources::new(), &self.name, &new);
        let changes = now.map(|now| schema::compare(&self.schema, &now)).unwrap_or_default();
        Ok(Snapshot { name: self.name, old: self.old, new, changes })
    }
}

/// Says why a CRM did not tell about something, and what to do.
fn failed(error: &CrmError, what: &str, output: Output) -> Exit {
    if error.without_login() {
        output.error(&error.to_string());
        return Exit::Usage;
    }
    output.error(&format!("{} did not describe {what}: {error}", error.side.label()));
    let hint = match (error.kind, error.side) {
        (CrmErrorKind::Forbidden, Side::Hubspot) => {
            "the app needs the scopes to read the object and its schema (of contacts `crm.objects.contacts.read` and \
             `crm.schemas.contacts.read`); `mapwright permissions hubspot` lists them; for a private app: Settings > \
             Integrations > Private Apps > Scopes"
        }
        (CrmErrorKind::Forbidden, Side::Salesforce) => {
            "the integration's user needs `API Enabled` and read access to the object, in its profile or a permission set"
        }
        (CrmErrorKind::Unauthorised, _) => {
            "the token or the secret is refused: look at the variables of `mapwright.yaml`"
        }
        _ => return Exit::Remote,
    };
    output.note(hint);
    Exit::Remote
}

/// Snapshots of nothing, for clients that ask about no object.
pub(super) fn nothing() -> Option<Schemas> {
    let of = |side| schema::load(&mut Sources::new(), "", &empty(side)).0;
    Some(Schemas { hubspot: of(Side::Hubspot)?, salesforce: of(Side::Salesforce)? })
}

/// The text of a snapshot of nothing.
fn empty(side: Side) -> String {
    format!("crm: {}\napi_version: \"\"\nobjects: {{}}\n", side.word())
}
