//! A service in a world that the test holds in its hands.
#![allow(dead_code)]

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use retentiond::clock::Clock;
use retentiond::daemon::{
    self, DaemonError, Ended, Hand, Notifier, Options, Pause, Signal, Timekeeper, World,
};
use retentiond::settings::Settings;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::log::Log;
use crate::support;

/// What the tests' organisation keeps: one table.
const TABLE: &str = "CREATE TABLE public.matter (id integer PRIMARY KEY, closed_on date)";

/// A schedule with a timetable and a period for the one table, in London.
pub fn schedule(every: &str, period: &str) -> String {
    format!(
        r#"[schedule]
organisation = "Tests"
time_zone = "Europe/London"
every = "{every}"
accept = "automatic"
[[class]]
id = "matters"
title = "Matters"
table = "matter"
trigger = "closed_on"
period = "{period}"
disposal = "delete"
max_share = 1.0
authority = "Tests"
"#
    )
}

pub const NIGHTLY: &str = "0 0 2 * * *";

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A service at work.
pub struct Service {
    pub url: String,
    pub hand: Hand,
    pub signals: mpsc::Sender<Signal>,
    pub told: mpsc::UnboundedReceiver<String>,
    pub log: Log,
    pub file: PathBuf,
    task: JoinHandle<Result<Ended, DaemonError>>,
    folder: TempDir,
}

/// A database with the one table.
pub async fn database() -> String {
    let url = support::migrated().await;
    support::sql(&url, TABLE).await;
    url
}

/// Starts a service at an instant.
pub fn start(url: &str, schedule: &str, now: &str) -> Service {
    start_with(url, schedule, now, None)
}

pub fn start_with(url: &str, schedule: &str, now: &str, watchdog: Option<Duration>) -> Service {
    start_in(url, schedule, now, watchdog, None, "")
}

/// Starts a service with more lines in the section `throttle` of its settings.
pub fn start_guarded(url: &str, schedule: &str, now: &str, throttle: &str) -> Service {
    start_in(url, schedule, now, None, None, throttle)
}

/// Starts a service that can be asked how it is, and where.
pub async fn start_listening(url: &str, schedule: &str, now: &str) -> (Service, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = start_in(url, schedule, now, None, Some(listener), "");
    (service, address)
}

fn start_in(
    url: &str,
    schedule: &str,
    now: &str,
    watchdog: Option<Duration>,
    listener: Option<TcpListener>,
    throttle: &str,
) -> Service {
    let log = Log::listen();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("retention.toml");
    fs::write(&file, schedule).unwrap();
    // No lock that a test holds is given up before the test is done with it.
    let config = folder.path().join("retentiond.toml");
    // The log's key outlives a service that is started again.
    let state = concat!(env!("CARGO_TARGET_TMPDIR"), "/state");
    let text = format!(
        "[throttle]\nlock_timeout_milliseconds = 60000\n{throttle}\n[state]\ndirectory = {state:?}\n"
    );
    fs::write(&config, text).unwrap();
    let settings = Settings::from_files(&[], Some(&config), std::iter::empty(), false).unwrap();
    let options = Options {
        schedule: file.clone(),
        config: Some(config),
        url: url.to_owned().into(),
        settings,
        clock: Clock::Fixed(at(now)),
        actor: "service".to_owned(),
    };
    let (timekeeper, hand) = Timekeeper::simulated(at(now));
    let (signals, inbox) = mpsc::channel(8);
    let (tell, told) = mpsc::unbounded_channel();
    let world = World {
        timekeeper,
        signals: inbox,
        notifier: Notifier::Channel(tell),
        watchdog,
        listener,
    };
    let task = tokio::spawn(daemon::serve(options, world));
    Service {
        url: url.to_owned(),
        hand,
        signals,
        told,
        log,
        file,
        task,
        folder,
    }
}

impl Service {
    /// Lets the clock run evenly until it shows an instant, with every pass on the way
    /// made.
    pub async fn until(&mut self, end: &str) {
        let end = at(end);
        while let Some(pause) = self.pause().await {
            if self.hand.now() >= end {
                return self.keep_asleep(pause);
            }
            let until = pause.until().min(end);
            self.hand.elapse_to(pause, until);
        }
        panic!("the service ended by itself: {:?}", self.log.lines());
    }

    /// The next pause. None may be longer than half a minute.
    async fn pause(&mut self) -> Option<Pause> {
        let pause = self.hand.next().await?;
        let length = pause.until() - self.hand.now();
        assert!(length <= TimeDelta::seconds(30), "a sleep of {length}");
        Some(pause)
    }

    /// Lets the clock run evenly while something holds. Asked when the service has
    /// nothing to do but wait.
    pub async fn run_while(&mut self, more: impl Fn(&Self) -> bool) {
        while let Some(pause) = self.pause().await {
            if !more(self) {
                return self.keep_asleep(pause);
            }
            self.hand.elapse(pause);
        }
        panic!("the service ended by itself: {:?}", self.log.lines());
    }

    /// Moves the clock to an instant while the service sleeps, and lets it deal with that
    /// until it sleeps again.
    pub async fn jump(&mut self, to: &str) {
        let pause = self.hand.next().await.expect("the service sleeps");
        self.hand.elapse_to(pause, at(to));
        let pause = self.hand.next().await.expect("the service sleeps again");
        self.keep_asleep(pause);
    }

    /// Ends a pause at once: the service looks at the same time again, and sleeps again.
    fn keep_asleep(&self, pause: Pause) {
        let now = self.hand.now();
        self.hand.elapse_to(pause, now);
    }

    pub async fn signal(&self, signal: Signal) {
        self.signals.send(signal).await.unwrap();
    }

    /// Waits for the next message to the service manager with this in it.
    pub async fn hear(&mut self, text: &str) -> String {
        loop {
            let message = self.told.recv().await.expect("the service lives");
            if message.contains(text) {
                return message;
            }
        }
    }

    /// Replaces the schedule's file and has it read.
    pub async fn reload(&mut self, schedule: &str) -> String {
        fs::write(&self.file, schedule).unwrap();
        self.signal(Signal::Reload).await;
        self.hear("RELOADING=1").await;
        self.hear("READY=1").await
    }

    /// Waits for its end.
    pub async fn end(self) -> (Result<Ended, DaemonError>, Log) {
        let ended = self.task.await.expect("the service did not panic");
        drop(self.folder);
        (ended, self.log)
    }

    /// Stops it while it has nothing to do.
    pub async fn stop(self) -> Log {
        self.signal(Signal::Terminate).await;
        let (ended, log) = self.end().await;
        assert_eq!(ended.unwrap(), Ended::Stopped);
        log
    }

    /// When passes began, as the database has it.
    pub async fn passes(&self) -> Vec<String> {
        passes(&self.url).await
    }
}

/// When passes began, as the database has it.
pub async fn passes(url: &str) -> Vec<String> {
    support::texts(
        url,
        r#"SELECT to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
             FROM retentiond.run ORDER BY run_id"#,
    )
    .await
    .iter()
    .map(|text| text.replace(".000000Z", "Z"))
    .collect()
}

/// Waits until somebody waits for a lock in the connection's database.
pub async fn somebody_waits(conn: &mut PgConnection) {
    wait_for(
        conn,
        "SELECT EXISTS (SELECT 1 FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event_type = 'Lock')",
    )
    .await;
}

/// Asks until the answer is yes.
pub async fn wait_for(conn: &mut PgConnection, question: &'static str) {
    let begun = std::time::Instant::now();
    while !sqlx::query_scalar::<_, bool>(question)
        .fetch_one(&mut *conn)
        .await
        .unwrap()
    {
        // A bound, not a wait: without it a lost signal would hang the whole suite.
        assert!(
            begun.elapsed().as_secs() < 120,
            "never came true: {question}"
        );
        tokio::task::yield_now().await;
    }
}

/// Holds a row fast, as an application's transaction would.
pub async fn hold_row(url: &str, id: i32) -> PgConnection {
    let mut conn = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql("BEGIN").execute(&mut conn).await.unwrap();
    sqlx::query("SELECT 1 FROM public.matter WHERE id = $1 FOR UPDATE")
        .bind(id)
        .execute(&mut conn)
        .await
        .unwrap();
    conn
}

/// Lets go of it.
pub async fn let_go(mut conn: PgConnection) {
    sqlx::raw_sql("COMMIT").execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}
