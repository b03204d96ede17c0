//! Generated schemas, projects and records: what the checker accepts, neither sandbox refuses.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mapwright::check::check;
use mapwright::diagnostic::Diagnostic;
use mapwright::plan::{Plan, compile};
use mapwright::source::Side;
use mapwright::syntax;

use super::Dice;
use super::live::{Live, Step, Tally};
use super::projects::{self, Draft, Shape, fields};
use super::world::{World, held, world};

/// Worlds of schemas in an ordinary run; `MAPWRIGHT_SOUNDNESS_SECONDS` goes on for so long instead.
const WORLDS: u64 = 14;

/// Rules that are tried for each project.
const TRIES: usize = 90;

/// Scripts that are played for each project.
const SCRIPTS: usize = 4;

/// What was tried.
#[derive(Default)]
struct Report {
    worlds: usize,
    /// Texts given to the checker, each one rule longer than one that passed.
    checked: usize,
    passed: usize,
    /// Projects that were played, by shape, with their rules.
    played: BTreeMap<String, (usize, usize)>,
    records: usize,
    tally: Tally,
    failures: BTreeMap<String, String>,
}

#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "a longer campaign is asked for by the environment and ends by the clock"
)]
async fn generated_projects_are_not_refused() {
    let env = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seconds = env("MAPWRIGHT_SOUNDNESS_SECONDS");
    let first = env("MAPWRIGHT_SOUNDNESS_WORLD").unwrap_or(1);
    let began = Instant::now();
    let mut report = Report::default();
    for number in first.. {
        let over = match seconds {
            Some(seconds) => began.elapsed() > Duration::from_secs(seconds),
            None => number >= first + WORLDS,
        };
        if over {
            break;
        }
        one_world(number, &mut report).await;
    }
    let Report { worlds, checked, passed, played, records, tally, failures } = &report;
    println!(
        "{worlds} pairs of schemas, {checked} project texts checked, {passed} passed; played: {played:?} (projects, rules), \
         {records} records, {} runs, {} writes, {} parked by a picklist, {} syncs with an echo; {} failures",
        tally.runs,
        tally.written,
        tally.parked,
        tally.echoes,
        failures.len()
    );
    let failures: Vec<&String> = failures.values().take(30).collect();
    let text = failures.iter().fold(String::new(), |mut text, failure| {
        let _ = write!(text, "\n{failure}");
        text
    });
    assert!(failures.is_empty(), "{text}");
    if seconds.is_none() {
        assert!(tally.written > 200 && played.len() == 3, "too little was played");
    }
}

async fn one_world(number: u64, report: &mut Report) {
    // Neighbours far apart, by the constant of splitmix64.
    let mut dice = Dice(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    for _ in 0..8 {
        dice.roll(2);
    }
    let mut world = world(&mut dice);
    let live = Live::start(&world).await;
    report.worlds += 1;
    for shape in [Shape::There, Shape::Back, Shape::Sync] {
        let draft = grow(&mut dice, shape, &mut world, report);
        let Some(plan) = accepted(&draft, &mut world) else { continue };
        let played = report.played.entry(format!("{shape:?}")).or_default();
        *played = (played.0 + 1, played.1 + draft.rules.len());
        let plan = Arc::new(plan);
        for turn in 0..SCRIPTS {
            let script = script(&mut dice, shape, &world);
            let pair = format!("{shape:?}{turn}");
            report.records += 1;
            match live.play(&plan, shape, &script, &pair, &|field| parks(&draft, field)).await {
                Ok(tally) => {
                    report.tally.runs += tally.runs;
                    report.tally.written += tally.written;
                    report.tally.parked += tally.parked;
                    report.tally.echoes += tally.echoes;
                }
                Err(why) => {
                    let (key, text) = reproduce(&draft, &script, why, &mut world, &live).await;
                    let replay = format!("MAPWRIGHT_SOUNDNESS_WORLD={number}");
                    report.failures.entry(key).or_insert_with(|| format!("---- {replay}\n{text}"));
                }
            }
        }
    }
    live.end().await;
}

/// Adds rules that the checker accepts.
fn grow(dice: &mut Dice, shape: Shape, world: &mut World, report: &mut Report) -> Draft {
    let mut draft = projects::draft(dice, shape, &world.schemas);
    for number in 0..TRIES {
        let mut longer = draft.clone();
        longer.rules.push(projects::rule(dice, shape, &world.schemas, number));
        if shape != Shape::Sync && dice.roll(6) == 0 && longer.rules.len() > 2 {
            longer.shared = 1;
        }
        report.checked += 1;
        if accepted(&longer, world).is_some() {
            report.passed += 1;
            draft = longer;
        }
    }
    draft
}

fn accepted(draft: &Draft, world: &mut World) -> Option<Plan> {
    if draft.rules.is_empty() {
        return None;
    }
    let text = draft.text();
    let file = world.sources.add("it.map", text.clone());
    let (tree, findings) = syntax::parse(file, &text);
    let (project, more) = check(&[tree], &world.schemas, &world.sources);
    if findings.iter().chain(&more).any(Diagnostic::is_error) {
        return None;
    }
    Some(compile(&project?, &world.schemas, &world.sources))
}

/// Whether the author's picklist parks a record for this field.
fn parks(draft: &Draft, field: &str) -> bool {
    let speaks = |text: &str| text.split_whitespace().any(|word| word == field);
    let mut rules = draft.rules.iter().filter(|rule| speaks(&rule.text));
    rules.any(|rule| rule.items.contains("otherwise -> park"))
}

fn script(dice: &mut Dice, shape: Shape, world: &World) -> Vec<Step> {
    let first = match shape {
        Shape::There => Side::Hubspot,
        Shape::Back => Side::Salesforce,
        Shape::Sync => *dice.pick(&[Side::Hubspot, Side::Salesforce]),
    };
    let mut script = vec![step(dice, first, world, true, true)];
    for _ in 0..3 {
        let side = if dice.roll(2) == 0 { Side::Hubspot } else { Side::Salesforce };
        let runs = if shape == Shape::Sync { dice.roll(3) > 0 } else { side == first };
        script.push(step(dice, side, world, false, runs));
    }
    script
}

fn step(dice: &mut Dice, side: Side, world: &World, new: bool, runs: bool) -> Step {
    let fields = fields(&world.schemas, side == Side::Salesforce);
    let fields = fields.into_iter().filter(|field| new || !field.read_only());
    let mut values = serde_json::Map::new();
    for field in fields {
        if new || dice.roll(3) == 0 {
            values.insert(field.name.clone(), held(dice, field, side));
        }
    }
    Step { side, values, runs }
}

/// The smallest project that fails alike: one with a single rule, if there is one.
async fn reproduce(
    draft: &Draft,
    script: &[Step],
    why: String,
    world: &mut World,
    live: &Live,
) -> (String, String) {
    let mut found = (draft.clone(), why);
    for (at, rule) in draft.rules.iter().enumerate() {
        let single = Draft { rules: vec![rule.clone()], shared: 0, ..draft.clone() };
        let Some(plan) = accepted(&single, world) else { continue };
        let pair = format!("again{at}");
        let played =
            live.play(&Arc::new(plan), single.shape, script, &pair, &|field| parks(&single, field)).await;
        if let Err(why) = played {
            found = (single, why);
            break;
        }
    }
    let (draft, why) = found;
    let text = draft.text();
    let named = |name: &str| text.contains(name);
    let schema: Vec<&str> = world
        .text
        .lines()
        .filter(|line| line.trim().split(':').next().is_some_and(&named) || line.contains("developer_name"))
        .collect();
    let steps: Vec<String> = script
        .iter()
        .map(|step| {
            let values: serde_json::Map<_, _> = step
                .values
                .iter()
                .filter(|(name, _)| named(name))
                .map(|(n, v)| (n.clone(), v.clone()))
                .collect();
            let short: String = serde_json::Value::Object(values).to_string().chars().take(1_500).collect();
            format!("{:?} (runs: {}): {short}", step.side, step.runs)
        })
        .collect();
    let key = draft.rules.iter().map(|rule| rule.text.clone()).collect::<Vec<_>>().join("\n");
    let why: String = why.chars().take(900).collect();
    (key, format!("{text}\nschemas:\n{}\nsteps:\n{}\nanswer: {why}\n", schema.join("\n"), steps.join("\n")))
}
