//! The walk as the page has it.

use super::shell::BEFORE_A_PORT;

const BEGIN: &str = "<!-- walk: begin -->";
const END: &str = "<!-- walk: end -->";
const PROMPT: &str = "$ ";

/// A page and the blocks of its walk, in order.
pub(super) struct Page {
    pub(super) name: String,
    pub(super) blocks: Vec<Block>,
    /// The prompts in the walk, counted line by line.
    pub(super) prompts: usize,
}

pub(super) enum Block {
    Session { again: bool, steps: Vec<Step> },
    Edit(Edit),
}

/// A command, and what the terminal shows after it.
pub(super) struct Step {
    /// `page:line`.
    pub(super) at: String,
    pub(super) command: String,
    pub(super) told: Vec<String>,
}

/// What somebody changes in a file.
pub(super) struct Edit {
    pub(super) at: String,
    pub(super) file: String,
    /// What stands there, and what is to stand there.
    pub(super) places: Vec<(String, String)>,
}

impl Step {
    fn texts(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.command.as_str()).chain(self.told.iter().map(String::as_str))
    }
}

impl Page {
    /// Reads a page; a mistake in it is told with its place.
    pub(super) fn read(name: &str, text: &str) -> Result<Self, String> {
        let mut page = Self { name: name.to_owned(), blocks: Vec::new(), prompts: 0 };
        let mut walking = false;
        let mut open: Option<(String, String, Vec<&str>)> = None;
        for (index, line) in text.lines().enumerate() {
            let at = format!("{name}:{}", index + 1);
            match (&mut open, line.strip_prefix("```")) {
                (None, Some(kind)) => open = Some((at, kind.trim().to_owned(), Vec::new())),
                (Some(_), Some(_)) => {
                    let (at, kind, lines) = open.take().ok_or("a block is open")?;
                    if walking {
                        page.prompts += lines.iter().filter(|line| line.starts_with(PROMPT)).count();
                        page.blocks.push(block(at, &kind, &lines)?);
                    } else if kind.starts_with("console") {
                        return Err(format!("{at}: a `console` block outside the walk is run by no test"));
                    }
                }
                (Some((_, _, lines)), None) => lines.push(line),
                (None, None) if line == BEGIN => walking = true,
                (None, None) if line == END => walking = false,
                (None, None) => {}
            }
        }
        match (open, walking) {
            (Some((at, ..)), _) => Err(format!("{at}: the block is not closed")),
            (None, true) => Err(format!("{name}: the walk is not closed")),
            (None, false) => Ok(page),
        }
    }

    /// The ports of this machine that the walk speaks of.
    pub(super) fn ports(&self) -> Vec<u16> {
        let mut texts: Vec<&str> = Vec::new();
        for block in &self.blocks {
            match block {
                Block::Session { steps, .. } => texts.extend(steps.iter().flat_map(Step::texts)),
                Block::Edit(edit) => {
                    texts.extend(edit.places.iter().flat_map(|(old, new)| [old.as_str(), new.as_str()]));
                }
            }
        }
        let mut ports = Vec::new();
        for (text, before) in texts.iter().flat_map(|text| BEFORE_A_PORT.map(|before| (text, before))) {
            ports.extend(text.split(before).skip(1).filter_map(|rest| {
                let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                rest[..end].parse::<u16>().ok().filter(|port| *port != 0)
            }));
        }
        ports.sort_unstable();
        ports.dedup();
        ports
    }
}

fn block(at: String, kind: &str, lines: &[&str]) -> Result<Block, String> {
    match kind.split_once(' ') {
        None if kind == "console" => Ok(Block::Session { again: false, steps: steps(&at, lines)? }),
        None if kind == "console,again" => Ok(Block::Session { again: true, steps: steps(&at, lines)? }),
        Some(("diff", file)) => edit(at, file, lines).map(Block::Edit),
        _ => Err(format!(
            "{at}: in the walk a block is `console`, `console,again` or `diff FILE`, not `{kind}`"
        )),
    }
}

fn steps(at: &str, lines: &[&str]) -> Result<Vec<Step>, String> {
    let (name, fence) = at.rsplit_once(':').ok_or("a place")?;
    let fence: usize = fence.parse().map_err(|_| "a line")?;
    let mut steps: Vec<Step> = Vec::new();
    let mut goes_on = false;
    for (index, line) in lines.iter().enumerate() {
        let at = format!("{name}:{}", fence + 1 + index);
        if let Some(command) = line.strip_prefix(PROMPT) {
            steps.push(Step { at, command: command.to_owned(), told: Vec::new() });
        } else {
            let step = steps.last_mut().ok_or(format!("{at}: commands begin with `$ `"))?;
            if goes_on {
                if !step.command.ends_with('\\') {
                    step.command.push('\n');
                }
                step.command = step.command.trim_end_matches('\\').to_owned() + line;
            } else {
                step.told.push((*line).to_owned());
            }
        }
        let step = steps.last_mut().ok_or("a command")?;
        let is_open = step.command.matches('\'').count() % 2 == 1;
        goes_on = step.told.is_empty() && (is_open || step.command.ends_with('\\'));
    }
    if goes_on {
        return Err(format!("{at}: the last command goes on, and the block ends"));
    }
    if let Some(step) = steps.iter().find(|step| {
        let is_wild = |line: &String| line.trim() == "…";
        !step.told.is_empty() && step.told.iter().all(is_wild)
    }) {
        return Err(format!("{}: `…` alone says nothing of what is shown", step.at));
    }
    if steps.is_empty() { Err(format!("{at}: no command")) } else { Ok(steps) }
}

fn edit(at: String, file: &str, lines: &[&str]) -> Result<Edit, String> {
    let mut places = vec![(String::new(), String::new())];
    for line in lines {
        if *line == "@@" {
            places.push((String::new(), String::new()));
            continue;
        }
        let (old, new) = places.last_mut().ok_or("a place")?;
        let (mark, text) = line.split_at_checked(1).unwrap_or((" ", ""));
        for (takes, into) in [(mark != "+", old), (mark != "-", new)] {
            if takes {
                into.push_str(text);
                into.push('\n');
            }
        }
        if !["+", "-", " "].contains(&mark) {
            return Err(format!("{at}: a line begins with `+`, `-` or a blank: {line}"));
        }
    }
    if places.iter().any(|(old, new)| old == new || old.is_empty()) {
        return Err(format!("{at}: it changes nothing, or at no known place"));
    }
    Ok(Edit { at, file: file.to_owned(), places })
}
