//! What the CRMs say about their objects right now, beside the snapshots of the project.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::output::Output;
use super::project::{self, Project};
use super::{Exit, parts};
use crate::config::SCHEMA;
use crate::crm::Describe;
use crate::diagnostic::{Code, nearest};
use crate::schema::{self, Change, DescribedObject, FieldType, Schema, Schemas, Taken};
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
    /// Objects that mappings name and the snapshots lack.
    pub(super) missing: bool,
}

/// Asks the CRMs of a project for what they say; writes nothing.
pub(super) async fn take(root: &Path, wanted: &Wanted<'_>, output: Output) -> Result<Live, Exit> {
    let configured = parts::configured(Some(root), wanted.pair, output)?;
    let pair = configured.pair.name.clone();
    let folder = folder(root, &pair);
    let mut asked = Vec::new();
    for side in Side::ALL {
        asked.push(Asked::read(root, &folder, side, output)?);
    }
    let schemas = Schemas { hubspot: asked[0].schema.clone(), salesforce: asked[1].schema.clone() };
    let clients = parts::clients_of(&configured, schemas, output).await?;
    for asked in asked.iter_mut().filter(|asked| wanted.sides.contains(&asked.side)) {
        let crm = clients.describer(asked.side);
        asked.crm = Some(crm);
        asked.known(output).await?;
        asked.added(wanted, output).await?;
    }
    if wanted.missing {
        fill(root, &pair, &mut asked, output).await?;
    }
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
            return Ok(Self { side, name, crm: None, old, schema, objects: Vec::new(), gone: Vec::new() });
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
                Some((side, _)) if Side::ALL.iter().any(|known| known.word() == side) => {}
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
    output.error(&format!("{} did not describe {what}: {error}", error.side.label()));
    let hint = match (error.kind, error.side) {
        (CrmErrorKind::Forbidden, Side::Hubspot) => {
            "the private app needs the scopes `crm.schemas.….read` and `crm.objects.….read` of the object: Settings > \
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
