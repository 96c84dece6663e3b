//! The loop: wait for the timetable, make a pass, hear signals, one thing at a time.
//!
//! Its state is what an administrator would ask for: what is in force, what was refused,
//! when the next pass is due, and what is being tried again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};

use super::agenda::{Agenda, Look};
use super::force::Force;
use super::notify::{Heartbeat, Notifier};
use super::observe::Teller;
use super::past::{self, Past};
use super::trouble::{self, Trouble};
use super::turn::{self, Turn};
use super::watch::{PassOutcome, Watch};
use super::work::{Orders, Passed, Work};
use super::{DaemonError, Ended, Options, Signal, Timekeeper, notices, observe};
use crate::ident::ClassId;
use crate::schedule::Schedule;
use crate::survey::Versions;

/// How long a pass waits for a lease that another process holds.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// The longest sleep without a look at the clock.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// A pass that begins later than this after its time says so.
const LATE: TimeDelta = TimeDelta::minutes(1);

/// What the service touches of the world outside.
#[derive(Debug)]
pub struct World {
    /// Where the time comes from.
    pub timekeeper: Timekeeper,
    /// What it is asked to do; when the last sender is gone, nobody asks any more.
    pub signals: mpsc::Receiver<Signal>,
    /// Who is told what it does.
    pub notifier: Notifier,
    /// How often, at least, a watchdog wants to hear of it.
    pub watchdog: Option<Duration>,
    /// Where requests arrive; none where nobody may ask.
    pub listener: Option<TcpListener>,
}

/// Runs the service in a given world, as [`run`](super::run) does in the real one.
///
/// # Errors
/// When the schedule cannot be read or is wrong.
pub async fn serve(options: Options, world: World) -> Result<Ended, DaemonError> {
    let force = Force::first(&options).await?;
    let force = Arc::new(force);
    let now = world.timekeeper.now();
    let watch = Watch::new(
        world.timekeeper.dial(),
        world.timekeeper.is_present(),
        options.url.clone(),
        world.watchdog,
        Arc::clone(&force),
    );
    let news = Arc::new(Notify::new());
    let postman = notices::keep_delivering(watch.clone(), Arc::clone(&news));
    let listening = world.listener.map(|listener| watch.listen(listener));
    let service = Service {
        agenda: Agenda::new(&force.schedule, now),
        force,
        refused: None,
        waiting: None,
        in_force: None,
        task: Some(Task {
            at: now,
            errand: Errand::AskPast,
            trouble: Trouble::default(),
            teller: Arc::default(),
        }),
        doing: Doing::AskingPast,
        announced: None,
        announced_own: BTreeMap::new(),
        owed: None,
        options,
        timekeeper: world.timekeeper,
        ears: Ears {
            signals: world.signals,
            heartbeat: Heartbeat::of(world.watchdog),
            notifier: world.notifier.clone(),
            watch: watch.clone(),
        },
        notifier: world.notifier,
        watch,
        news,
    };
    let ended = service.run().await;
    drop(postman);
    if let Some(listening) = listening {
        listening.end().await;
    }
    Ok(ended)
}

struct Service {
    options: Options,
    force: Arc<Force>,
    /// Why the files that are there now are not in force.
    refused: Option<String>,
    /// That the schedule's file waits for a person.
    waiting: Option<String>,
    /// The version in force, while the file waits: its timetable is followed.
    in_force: Option<Arc<Schedule>>,
    agenda: Agenda,
    /// What is to be done besides waiting for the timetable.
    task: Option<Task>,
    doing: Doing,
    /// The next pass that was last told of.
    announced: Option<DateTime<Utc>>,
    /// The same of each class with a timetable of its own.
    announced_own: BTreeMap<ClassId, DateTime<Utc>>,
    /// Times that came while the database could not yet be asked for a missed pass.
    owed: Option<(DateTime<Utc>, Turn)>,
    timekeeper: Timekeeper,
    ears: Ears,
    notifier: Notifier,
    watch: Watch,
    /// Whoever delivers notices is woken.
    news: Arc<Notify>,
}

/// What the status line says.
#[derive(Debug)]
enum Doing {
    AskingPast,
    Waiting,
    Passing(DateTime<Utc>),
    Failed {
        task: &'static str,
        words: String,
        again: DateTime<Utc>,
    },
}

/// Something to do, tried until it works or a timetable comes round again.
struct Task {
    at: DateTime<Utc>,
    errand: Errand,
    trouble: Trouble,
    teller: Arc<Teller>,
}

#[derive(Debug, Clone)]
enum Errand {
    /// Ask the database whether a pass was missed.
    AskPast,
    /// Ask the database what is in force beside the file.
    AskForce,
    /// Make a pass over the classes whose turn it is.
    Pass(Occasion, Turn),
}

/// Why a pass is made.
#[derive(Debug, Clone, Copy)]
enum Occasion {
    /// Its time came.
    Timetable(DateTime<Utc>),
    /// Its time came while no process was there.
    Missed,
}

/// What an errand came to.
enum Outcome {
    Done,
    Failed(String),
    Ended(Ended),
}

impl Service {
    async fn run(mut self) -> Ended {
        let schedule = &self.force.schedule;
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            file = schedule.file(),
            schedule = self.force.digest(),
            classes = schedule.classes().len(),
            every = schedule.every().text(),
            time_zone = schedule.time_zone().name(),
            "service started"
        );
        self.force.tell_warnings();
        self.notifier.ready(&self.status());
        let ended = self.turn().await;
        tracing::info!(ended = ?ended, "service ended");
        ended
    }

    async fn turn(&mut self) -> Ended {
        loop {
            let now = self.timekeeper.now();
            self.look(now);
            self.watch.turned();
            self.watch.next_pass(self.agenda.due());
            if self.task.as_ref().is_some_and(|task| task.at <= now) {
                if let Some(ended) = self.attempt(now).await {
                    return ended;
                }
                continue;
            }
            self.announce();
            let wake = [self.agenda.due(), self.task.as_ref().map(|task| task.at)]
                .into_iter()
                .flatten()
                .min();
            let pause = wake
                .and_then(|wake| (wake - now).to_std().ok())
                .map_or(LONGEST_SLEEP, |pause| pause.min(LONGEST_SLEEP));
            if let Heard::Signal(signal) = self.ears.meanwhile(self.timekeeper.pause(pause)).await
                && let Some(ended) = self.obey(signal).await
            {
                return ended;
            }
        }
    }

    /// Follows the clock. A time that comes replaces what was still being tried.
    fn look(&mut self, now: DateTime<Utc>) {
        match self.look_at_agenda(now) {
            Look::Early => {}
            Look::Due(due, mut turn) => {
                if now - due > LATE {
                    let late_seconds = (now - due).num_seconds();
                    tracing::warn!(due = %due, late_seconds, "the clock or another pass let the time of a pass go by");
                }
                match self.task.take() {
                    // Whose pass was still being tried is in this one.
                    Some(Task {
                        errand: Errand::Pass(_, waiting),
                        ..
                    }) => turn.join(waiting),
                    // Other timetables may have come round while no process was there.
                    Some(task)
                        if matches!(task.errand, Errand::AskPast) && turn != self.everybody() =>
                    {
                        let (first, mut owed) = self.owed.take().unwrap_or((due, Turn::default()));
                        owed.join(turn);
                        self.owed = Some((first, owed));
                        self.task = Some(task);
                        return;
                    }
                    _ => {}
                }
                self.owed = None;
                self.task = Some(Task {
                    at: now,
                    errand: Errand::Pass(Occasion::Timetable(due), turn),
                    trouble: Trouble::default(),
                    teller: Arc::default(),
                });
            }
            Look::WentBack(from) => {
                tracing::warn!(from = %from, to = %now, "the clock was put back; the timetable is read anew");
                // A time that lies ahead again comes by itself; other tasks do not wait
                // for an hour that was never.
                self.owed = self.owed.take().filter(|(due, _)| *due <= now);
                self.task = self.task.take().filter(|task| match &task.errand {
                    Errand::Pass(Occasion::Timetable(due), _) => *due <= now,
                    Errand::Pass(Occasion::Missed, _) | Errand::AskPast | Errand::AskForce => true,
                });
                if let Some(task) = &mut self.task {
                    task.at = task.at.min(now);
                }
            }
        }
    }

    /// The turn of every timetable there is.
    fn everybody(&self) -> Turn {
        let mut turn = Turn::default();
        for id in turn::timetables(self.timetable()) {
            turn.join(Turn::of(id));
        }
        turn
    }

    fn look_at_agenda(&mut self, now: DateTime<Utc>) -> Look {
        let schedule = self.in_force.as_deref().unwrap_or(&self.force.schedule);
        self.agenda.look(schedule, now)
    }

    /// Tells of the next pass, once.
    fn announce(&mut self) {
        let due = self.agenda.due();
        if self.announced == due {
            return;
        }
        self.announced = due;
        match due {
            Some(due) => {
                let turn = self.agenda.turn().words();
                tracing::info!(at = %due, local = self.local(due), turn, "next pass");
            }
            None => tracing::warn!("the timetable has no further pass"),
        }
        self.announce_own();
        if self.task.is_none() {
            self.go(Doing::Waiting);
        }
    }

    /// Tells when each class with a timetable of its own is next, where that has changed.
    fn announce_own(&mut self) {
        let own: BTreeMap<ClassId, DateTime<Utc>> =
            self.agenda.own().map(|(id, at)| (id.clone(), at)).collect();
        for (id, at) in &own {
            if self.announced_own.get(id) != Some(at) {
                let class = id.as_str();
                tracing::info!(class, at = %at, local = self.local(*at), "class is next");
            }
        }
        self.announced_own = own;
    }

    /// One line for the service manager. What is wrong stays in it until it is mended.
    fn status(&self) -> String {
        let doing = match (&self.doing, self.agenda.due()) {
            (Doing::AskingPast, _) => "looking for a missed pass".to_owned(),
            (Doing::Waiting, Some(due)) => format!("next pass at {}", self.local(due)),
            (Doing::Waiting, None) => "the timetable has no further pass".to_owned(),
            (Doing::Passing(since), _) => {
                format!("a pass is at work since {}", self.local(*since))
            }
            (Doing::Failed { task, words, again }, _) => {
                let again = self.local(*again);
                format!("{task} failed ({words}); trying again at {again}")
            }
        };
        [Some(&doing), self.refused.as_ref(), self.waiting.as_ref()]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join("; ")
    }

    /// Goes over to something else, and says so.
    fn go(&mut self, doing: Doing) {
        self.doing = doing;
        self.notifier.status(&self.status());
    }

    /// An instant in the schedule's zone.
    fn local(&self, instant: DateTime<Utc>) -> String {
        instant
            .with_timezone(&self.timetable().time_zone())
            .format("%Y-%m-%d %H:%M:%S %Z")
            .to_string()
    }

    /// Tries the task that is there. `Some` when the service is to end.
    async fn attempt(&mut self, now: DateTime<Utc>) -> Option<Ended> {
        let mut task = self.task.take()?;
        let (name, outcome) = match &task.errand {
            Errand::AskPast => ("looking for a missed pass", self.ask_past(now).await),
            Errand::AskForce => (
                "looking for the schedule in force",
                self.ask_versions(now).await,
            ),
            Errand::Pass(occasion, turn) => {
                let (occasion, turn) = (*occasion, turn.clone());
                let outcome = self.pass(occasion, turn, now, &task.teller).await;
                ("a pass", outcome)
            }
        };
        match outcome {
            Outcome::Ended(ended) => return Some(ended),
            Outcome::Done => {
                task.trouble.over(name);
                // The next pass is told of after each.
                self.announced = None;
            }
            Outcome::Failed(words) => {
                let pause = task.trouble.failed(name, &words);
                // From now, not from before a connection that took its time to fail.
                let pause = TimeDelta::from_std(pause).unwrap_or(TimeDelta::MAX);
                task.at = self.timekeeper.now() + pause;
                self.go(Doing::Failed {
                    task: name,
                    words,
                    again: task.at,
                });
                self.task = Some(task);
            }
        }
        None
    }

    /// Asks the database about the last pass and about what is in force, and takes the
    /// latter over.
    async fn ask(&mut self, now: DateTime<Utc>) -> Result<Past, Outcome> {
        let force = Arc::clone(&self.force);
        let url = self.options.url.clone();
        let actor = self.options.actor.clone();
        let ask = past::ask(
            url.expose_secret(),
            &force.schedule,
            &force.settings,
            &actor,
            now,
        );
        tokio::pin!(ask);
        let past = loop {
            match self.ears.meanwhile(&mut ask).await {
                Heard::Done(past) => break past,
                Heard::Signal(signal) => {
                    if let Some(ended) = self.obey(signal).await {
                        return Err(Outcome::Ended(ended));
                    }
                }
            }
        };
        match past {
            Ok((past, versions)) => {
                // Of another file, if it was read again meanwhile.
                if Arc::ptr_eq(&force, &self.force) {
                    self.stand(&versions);
                }
                Ok(past)
            }
            Err(error) => Err(Outcome::Failed(trouble::words(&error))),
        }
    }

    async fn ask_versions(&mut self, now: DateTime<Utc>) -> Outcome {
        match self.ask(now).await {
            Ok(_) => Outcome::Done,
            Err(outcome) => outcome,
        }
    }

    async fn ask_past(&mut self, now: DateTime<Utc>) -> Outcome {
        let past = match self.ask(now).await {
            Err(outcome) => return outcome,
            Ok(past) => past,
        };
        let (mut occasion, mut turn) = (Occasion::Missed, Turn::default());
        match past {
            Past::None => {
                tracing::info!("there never was a pass; the first is made when its time comes");
            }
            Past::Kept => tracing::debug!("no pass was missed"),
            Past::Missed(due, whose) => {
                let words = whose.words();
                tracing::warn!(missed = %due, turn = words, "a pass was missed while the service was down; it is made now");
                turn = whose;
            }
            Past::BrokenOff(began, whose) => {
                let words = whose.words();
                tracing::warn!(began = %began, turn = words, "the last pass broke off; it is made again now");
                turn = whose;
            }
        }
        if let Some((due, owed)) = self.owed.take() {
            if turn.is_nobody() {
                occasion = Occasion::Timetable(due);
            }
            turn.join(owed);
        }
        if turn.is_nobody() {
            return Outcome::Done;
        }
        self.task = Some(Task {
            at: now,
            errand: Errand::Pass(occasion, turn),
            trouble: Trouble::default(),
            teller: Arc::default(),
        });
        Outcome::Done
    }

    /// Makes one pass, and hears signals meanwhile.
    async fn pass(
        &mut self,
        occasion: Occasion,
        turn: Turn,
        now: DateTime<Utc>,
        teller: &Arc<Teller>,
    ) -> Outcome {
        let due = match occasion {
            Occasion::Timetable(due) => due,
            Occasion::Missed => now,
        };
        tracing::info!(occasion = ?occasion, due = %due, turn = turn.words(), schedule = self.force.digest(), "pass begun");
        if let Some(refused) = &self.refused {
            tracing::warn!(
                refused,
                "RELOAD REFUSED and not mended yet: what was in force before stays in force"
            );
        }
        self.go(Doing::Passing(now));
        let orders = Orders {
            force: Arc::clone(&self.force),
            url: self.options.url.clone(),
            actor: self.options.actor.clone(),
            turn,
            now,
            present: self.timekeeper.is_present(),
            teller: Arc::clone(teller),
            watch: self.watch.clone(),
        };
        let mut work = match Work::begin(orders) {
            Ok(work) => work,
            Err(words) => return Outcome::Failed(words),
        };
        let mut stopping = false;
        let ended = loop {
            match self.ears.meanwhile(work.end()).await {
                Heard::Done(ended) => break ended,
                Heard::Signal(Signal::Reload) if stopping => {}
                Heard::Signal(Signal::Reload) => self.reload().await,
                Heard::Signal(signal) if stopping => {
                    tracing::warn!(
                        signal = signal.name(),
                        "stopping at once; the batch in hand is undone"
                    );
                    return Outcome::Ended(Ended::AtOnce(signal));
                }
                Heard::Signal(signal) => {
                    stopping = true;
                    work.stop();
                    tracing::info!(signal = signal.name(), "stopping after the batch in hand");
                    self.notifier.stopping("finishing the batch in hand");
                }
            }
        };
        match ended {
            Ok(Passed::Made(report)) => {
                self.watch.passed(&report);
                self.news.notify_one();
                observe::tell_whole(&report);
                let waits = report.waiting_schedule.as_deref();
                self.waits(waits, &report.schedule);
                match (waits, &self.in_force) {
                    // It was accepted.
                    (None, Some(_)) => {
                        self.in_force = None;
                        self.follow();
                    }
                    (Some(_), None) => self.ask_force(),
                    _ => {}
                }
            }
            Ok(Passed::NeverAccepted(digest)) => {
                self.watch.not_passed(PassOutcome::NotAccepted);
                let schedule = format!("sha256:{}", hex::encode(digest));
                self.never_accepted(&schedule);
            }
            Ok(Passed::Stopped) => {
                self.watch.not_passed(PassOutcome::Stopped);
                tracing::info!("the pass was stopped before it had begun");
            }
            Err(words) => {
                self.watch.not_passed(PassOutcome::BrokenOff);
                if !stopping {
                    return Outcome::Failed(words);
                }
                tracing::error!(error = words, "the pass failed while stopping");
            }
        }
        if stopping {
            Outcome::Ended(Ended::Stopped)
        } else {
            Outcome::Done
        }
    }

    /// Says loudly, each time that it is found so, that the file is not in force.
    fn waits(&mut self, waiting: Option<&str>, in_force: &str) {
        let short = |digest: &str| digest.get(..19).unwrap_or(digest).to_owned();
        self.waiting = waiting.map(|waiting| {
            tracing::warn!(
                waiting,
                in_force,
                "THE SCHEDULE WAITS: the file on disk is not in force until a person accepts it; \
                 only what both versions would let go goes"
            );
            format!(
                "THE SCHEDULE WAITS: {} is not in force until a person accepts it; {} stays in force",
                short(waiting),
                short(in_force)
            )
        });
    }

    fn never_accepted(&mut self, schedule: &str) {
        tracing::warn!(
            schedule,
            "THE SCHEDULE WAITS: no version of it was ever accepted, and nothing is done until a person accepts one"
        );
        self.waiting = Some(
            "THE SCHEDULE WAITS: no version of it was ever accepted, and nothing is done"
                .to_owned(),
        );
    }

    /// Takes over what is in force: its timetable, and whether the file waits beside it.
    fn stand(&mut self, versions: &Versions) {
        let file = Arc::clone(&self.force);
        let file = &file.schedule;
        let digest = |schedule: &Schedule| format!("sha256:{}", hex::encode(schedule.digest()));
        match versions.acting(file) {
            None => self.never_accepted(&digest(file)),
            Some(acting) => {
                let waiting = versions.waiting(file).map(digest);
                self.waits(waiting.as_deref(), &digest(acting));
            }
        }
        self.in_force = versions
            .waiting(file)
            .and_then(|_| versions.acting(file))
            .cloned()
            .map(Arc::new);
        self.follow();
    }

    /// The schedule whose timetable is followed.
    fn timetable(&self) -> &Schedule {
        self.in_force.as_deref().unwrap_or(&self.force.schedule)
    }

    fn follow(&mut self) {
        let schedule = self.in_force.as_deref().unwrap_or(&self.force.schedule);
        self.agenda.follow(schedule);
    }

    /// Has the database asked what is in force, unless something is to be done that asks it.
    fn ask_force(&mut self) {
        if self.task.is_none() {
            self.task = Some(Task {
                at: self.timekeeper.now(),
                errand: Errand::AskForce,
                trouble: Trouble::default(),
                teller: Arc::default(),
            });
        }
    }

    /// Does what a signal wants while no pass is at work.
    async fn obey(&mut self, signal: Signal) -> Option<Ended> {
        match signal {
            Signal::Reload => {
                self.reload().await;
                None
            }
            Signal::Interrupt | Signal::Terminate => {
                tracing::info!(signal = signal.name(), "stopping");
                self.notifier.stopping("stopping");
                Some(Ended::Stopped)
            }
        }
    }

    /// Reads the files again: both are in force from now on, or neither.
    async fn reload(&mut self) {
        self.notifier.reloading();
        let old = self.force.digest();
        match Force::again(&self.options).await {
            Ok(force) => {
                let new = force.digest();
                let changed = old != new;
                tracing::info!(
                    old,
                    new,
                    changed,
                    "schedule and settings reloaded; in force from the next pass on, unless the schedule waits for acceptance"
                );
                force.tell_unheeded(&self.force);
                force.tell_warnings();
                self.force = Arc::new(force);
                self.watch.reloaded(&self.force);
                self.refused = None;
                // Until the database has said what is in force; a pass asks it anew.
                (self.waiting, self.in_force) = (None, None);
                self.follow();
                self.ask_force();
            }
            Err(refusal) => {
                self.watch.reload_refused();
                let faults = refusal.tell();
                let what = refusal.what();
                tracing::error!(
                    schedule = old,
                    faults,
                    "RELOAD REFUSED: the {what} on disk cannot be used; what was in force stays in force"
                );
                self.refused = Some(format!(
                    "RELOAD REFUSED: the {what} on disk cannot be used ({faults} {}); the schedule {} stays in force",
                    if faults == 1 { "fault" } else { "faults" },
                    old.get(..19).unwrap_or(&old),
                ));
            }
        }
        self.announced = None;
        self.notifier.ready(&self.status());
    }
}

/// What can be heard while something else goes on.
struct Ears {
    signals: mpsc::Receiver<Signal>,
    heartbeat: Heartbeat,
    notifier: Notifier,
    watch: Watch,
}

enum Heard<T> {
    Signal(Signal),
    Done(T),
}

impl Ears {
    /// Waits for `other` or a signal, and feeds the watchdog. A signal comes first.
    async fn meanwhile<T>(&mut self, other: impl Future<Output = T>) -> Heard<T> {
        tokio::pin!(other);
        loop {
            tokio::select! {
                biased;
                Some(signal) = self.signals.recv() => return Heard::Signal(signal),
                () = self.heartbeat.beat() => {
                    self.watch.turned();
                    if self.heartbeat.feeds {
                        self.notifier.alive();
                    }
                }
                done = &mut other => return Heard::Done(done),
            }
        }
    }
}
