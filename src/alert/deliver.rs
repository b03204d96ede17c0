//! Groups what is handed in, and delivers it: one task that never keeps the other waiting.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::crm::http::{HttpOptions, Outbound, SetupError};

use super::group::{Alert, Groups};
use super::{AlertSettings, Count, Notice, command, webhook};

/// Deliveries tried for one alert.
const TRIES: u32 = 5;

/// Alerts that wait behind one that is being delivered; each stands for a minute of one reason.
const WAITING: usize = 256;

/// The longest that the task sleeps without looking whether something is due.
const TICK: Duration = Duration::from_secs(5);

/// Where alerts go.
pub(super) struct Target {
    settings: AlertSettings,
    outbound: Option<Outbound>,
    http: HttpOptions,
    count: Count,
}

impl Target {
    pub(super) fn new(settings: AlertSettings, http: HttpOptions, count: Count) -> Result<Self, SetupError> {
        let http = HttpOptions { request_timeout: settings.timeout, ..http };
        let outbound = settings.webhook.as_ref().map(|hook| Outbound::new(&hook.url, http)).transpose()?;
        Ok(Self { settings, outbound, http, count })
    }

    /// Delivers one alert everywhere, each place with its own tries and at its own pace.
    async fn deliver(&self, alert: &Alert) {
        let body = serde_json::to_string(alert).unwrap_or_default();
        let post = async {
            if let (Some(hook), Some(outbound)) = (&self.settings.webhook, &self.outbound) {
                self.tries("webhook", alert, || webhook::post(hook, outbound, &body, (self.http.now)()))
                    .await;
            }
        };
        let run = async {
            if let Some(program) = &self.settings.command {
                self.tries("command", alert, || command::run(program, &body, self.settings.timeout)).await;
            }
        };
        futures_util::future::join(post, run).await;
    }

    async fn tries<F>(&self, by: &'static str, alert: &Alert, deliver: impl Fn() -> F)
    where
        F: Future<Output = Result<(), String>>,
    {
        let mut pause = self.settings.first_pause;
        for attempt in 1..=TRIES {
            match deliver().await {
                Ok(()) => return (self.count)("delivered"),
                Err(error) => {
                    tracing::warn!(by, kind = alert.kind, attempt, error, "an alert was not delivered");
                }
            }
            if attempt < TRIES {
                tokio::time::sleep(pause.mul_f64(0.75 + (self.http.jitter)() / 2.0)).await;
                pause *= 2;
            }
        }
        (self.count)("failed");
        tracing::error!(by, kind = alert.kind, text = alert.text, "an alert is given up");
    }
}

/// Works until it is told to stop, and then delivers what is left.
pub(super) async fn work(
    target: Target,
    mut notices: mpsc::Receiver<Notice>,
    mut stop: watch::Receiver<bool>,
) {
    let target = Arc::new(target);
    let (queue, waiting) = mpsc::channel(WAITING);
    let delivery = tokio::spawn(deliver_all(Arc::clone(&target), waiting));
    let now = target.http.now;
    let mut groups = Groups::new(target.settings.personal_data);
    loop {
        let wait = groups.next().map_or(TICK, |due| (due - now()).to_std().unwrap_or_default().min(TICK));
        tokio::select! {
            notice = notices.recv() => {
                let Some(notice) = notice else { break };
                hand_on(&target, &queue, groups.add(notice, now()));
            }
            () = tokio::time::sleep(wait) => hand_on(&target, &queue, groups.due(now())),
            // An error means that the handle is gone, which ends the deliveries too.
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
    while let Ok(notice) = notices.try_recv() {
        hand_on(&target, &queue, groups.add(notice, now()));
    }
    hand_on(&target, &queue, groups.rest());
    drop(queue);
    let _ = delivery.await;
}

fn hand_on(target: &Target, queue: &mpsc::Sender<Alert>, alerts: impl IntoIterator<Item = Alert>) {
    for alert in alerts {
        if let Err(error) = queue.try_send(alert) {
            (target.count)("overflowed");
            let alert = error.into_inner();
            tracing::error!(
                kind = alert.kind,
                text = alert.text,
                "an alert is left out: too many are waiting"
            );
        }
    }
}

async fn deliver_all(target: Arc<Target>, mut waiting: mpsc::Receiver<Alert>) {
    while let Some(alert) = waiting.recv().await {
        target.deliver(&alert).await;
    }
}
