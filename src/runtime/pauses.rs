//! Pauses of a CRM: on the health board, in the log, and to whoever is to be told.

use crate::alert::Notice;
use crate::source::Side;

use super::policy::UNAUTHORISED;
use super::{Parts, Pause};

/// Leaves a CRM alone. People are told when it begins, not each time that it is found to go on.
pub(super) fn begin(parts: &Parts, side: Side, pause: Pause, code: Option<&str>) {
    let Pause { until, reason, help } = pause.clone();
    tracing::error!(pair = parts.pair, crm = %side, reason, help = help.as_ref(), %until, code, "a CRM is left alone");
    let mut goes_on = false;
    parts.health.report(&parts.pair, |health| {
        let before = health.paused.insert(side, pause);
        goes_on = before.is_some_and(|before| before.reason == reason);
    });
    if !goes_on {
        let (pair, code) = (parts.pair.clone(), code.map(str::to_owned));
        parts.settings.alerts.raise(Notice::PauseBegan { pair, crm: side, reason, help, until, code });
    }
}

/// Takes the pauses off the board that are over.
pub(super) fn end(parts: &Parts, is_over: impl Fn(Side, &Pause) -> bool) {
    let mut over = Vec::new();
    parts.health.report(&parts.pair, |health| {
        health.paused.retain(|side, pause| {
            let ends = is_over(*side, pause);
            if ends {
                over.push((*side, pause.reason));
            }
            !ends
        });
    });
    for (crm, reason) in over {
        tracing::info!(pair = parts.pair, %crm, reason, "a CRM is worked with again");
        parts.settings.alerts.raise(Notice::PauseEnded { pair: parts.pair.clone(), crm, reason });
    }
}

/// Whether a CRM is left alone because it refuses a login.
pub(super) fn by_login(parts: &Parts, side: Side) -> bool {
    let workers = parts.health.workers();
    let pause = workers.get(&parts.pair).and_then(|worker| worker.paused.get(&side));
    pause.is_some_and(|pause| pause.reason == UNAUTHORISED)
}

/// Lets a CRM be tried now. The pause is over once that goes well.
pub(super) fn cut_short(parts: &Parts, side: Side) {
    let now = parts.clock.now();
    parts.health.report(&parts.pair, |health| {
        if let Some(pause) = health.paused.get_mut(&side) {
            pause.until = pause.until.min(now);
        }
    });
}
