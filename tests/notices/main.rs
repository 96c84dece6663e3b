//! Notices: told once, tried again under the same key, to a mail server and a webhook.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)]
#[path = "../ledger_webhook/receiver.rs"]
mod receiver;
#[path = "../support/mod.rs"]
mod support;

mod mail;

use std::fs;
use std::process::Command;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD as BASE64, Engine as _};
use retentiond::daemon::notices;
use retentiond::daemon::tick::{self, Order};
use retentiond::settings::Settings;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::mail::MailServer;
use crate::receiver::{Mood, Receiver, SECRET};

const SCHEDULE: &str = "[schedule]\norganisation = \"Test\"\ntime_zone = \"Europe/London\"\nevery = \"0 0 2 * * *\"\naccept = \"automatic\"\n\
     [[class]]\nid = \"letters\"\ntitle = \"Letters\"\ntable = \"letter\"\ntrigger = \"closed_at\"\n\
     period = \"8 years\"\ndisposal = \"delete\"\nmax_share = 1.0\nauthority = \"a test\"\ngate = \"review\"\n";

/// The program in a folder, with settings, on a database.
struct World {
    url: String,
    folder: tempfile::TempDir,
    settings: Vec<(String, String)>,
}

impl World {
    async fn new() -> Self {
        let url = support::migrated().await;
        support::sql(
            &url,
            "CREATE TABLE public.letter (id bigint PRIMARY KEY, closed_at date NOT NULL, body text);
             INSERT INTO public.letter VALUES (1, '2010-01-01', 'Jane Roe'), (2, '2026-01-01', 'new')",
        )
        .await;
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("retention.toml"), SCHEDULE).unwrap();
        let secret = format!("whsec_{}", BASE64.encode(SECRET));
        fs::write(folder.path().join("secret"), secret).unwrap();
        fs::write(folder.path().join("password"), "swordfish\n").unwrap();
        let settings = Vec::new();
        Self {
            url,
            folder,
            settings,
        }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn set(&mut self, key: &str, value: &str) {
        self.settings
            .push((format!("RETENTIOND__NOTICES__{key}"), value.to_owned()));
    }

    fn webhook(&mut self, receiver: &Receiver, on: &str) {
        self.set("WEBHOOKS__DESK__URL", &receiver.url);
        self.set("WEBHOOKS__DESK__SECRET_FILE", &self.path("secret"));
        self.set("WEBHOOKS__DESK__ON", on);
    }

    fn environment(&self) -> Vec<(String, String)> {
        let state = (
            "RETENTIOND__STATE__DIRECTORY".to_owned(),
            self.path("state"),
        );
        self.settings.iter().cloned().chain([state]).collect()
    }

    /// A pass at noon of a day, and a delivery after it, as `run` does both.
    async fn pass(&self, day: &str) {
        let environment = self.environment().into_iter();
        let settings = Settings::from_files(&[], None, environment, false).unwrap();
        let (schedule, now) = (support::schedule(SCHEDULE), support::at(day));
        let order = Order {
            url: &self.url,
            schedule: &schedule,
            settings: &settings,
            now,
            present: false,
            actor: "test",
            patience: Duration::from_secs(30),
            full_speed: true,
            only: &[],
            due: None,
            on_plan: None,
            stop: &CancellationToken::new(),
            observe: &|_| {},
        };
        tick::tick(&order).await.unwrap();
        notices::deliver(&self.url, &settings, now).await.unwrap();
    }

    /// Runs the program today, and holds it to say no secret and no person.
    fn says(&self, words: &[&str]) -> String {
        let ran = Command::new(env!("CARGO_BIN_EXE_retentiond"))
            .args(words)
            .env_clear()
            .env("DATABASE_URL", &self.url)
            .env("RETENTIOND__LOG__FORMAT", "json")
            .env("RETENTIOND__LOG__LEVEL", "trace")
            .envs(self.environment())
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        let (out, err) = (
            String::from_utf8(ran.stdout).unwrap(),
            String::from_utf8(ran.stderr).unwrap(),
        );
        for kept in ["Jane Roe", "hunter2", "swordfish", &BASE64.encode(SECRET)] {
            assert!(!out.contains(kept) && !err.contains(kept), "{kept}: {err}");
        }
        let code = ran.status.code();
        assert!(matches!(code, Some(0 | 3)), "{code:?} {out}\n{err}");
        out + &err
    }

    async fn outbox(&self) -> Vec<String> {
        support::texts(
            &self.url,
            "SELECT concat_ws(' ', kind, receiver, attempts, delivered_at IS NOT NULL, given_up_at IS NOT NULL, last_error)
               FROM retentiond.notice ORDER BY notice_id",
        )
        .await
    }
}

fn bodies(receiver: &Receiver) -> Vec<Value> {
    let requests = receiver.requests.lock().unwrap();
    requests
        .iter()
        .map(|request| serde_json::from_str(&request.body).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_told_once_then_after_a_week_and_more_of_it_at_once() {
    let mut world = World::new().await;
    let receiver = Receiver::start().await;
    world.webhook(&receiver, "waiting");
    world.pass("2026-11-02").await;
    let first = &bodies(&receiver)[0];
    assert_eq!(first["type"], "retentiond.notice");
    assert_eq!(
        first["data"]["subject"],
        "[retentiond] Test: something waits for you"
    );
    assert_eq!(
        first["data"]["matters"],
        json!([{ "about": "letters", "count": 1, "topic": "waiting",
            "text": "letters: 1 record waits for a person.",
            "next": "Run `retentiond plan`: it says for what, and for whom." }])
    );
    // The same, the next day and the sixth day after.
    world.pass("2026-11-03").await;
    world.pass("2026-11-08").await;
    assert_eq!(bodies(&receiver).len(), 1);
    world.pass("2026-11-09").await;
    let reminded = bodies(&receiver);
    assert_eq!(reminded.len(), 2);
    assert_eq!(reminded[1]["data"]["matters"][0]["since"], "2026-11-02");
    support::sql(
        &world.url,
        "INSERT INTO public.letter VALUES (3, '2010-02-01', 'x')",
    )
    .await;
    world.pass("2026-11-10").await;
    let more = bodies(&receiver);
    assert_eq!(more.len(), 3);
    assert_eq!(more[2]["data"]["matters"][0]["count"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_taken_is_tried_again_under_the_same_key_and_status_says_so() {
    let mut world = World::new().await;
    let receiver = Receiver::start().await;
    world.webhook(&receiver, "waiting");
    receiver.is(Mood::Says(503, "Jane Roe".to_owned()));
    world.pass("2026-11-02").await;
    assert_eq!(world.outbox().await, ["webhook desk 1 f f it answered 503"]);
    let status = world.says(&["status"]);
    assert!(
        status.contains("Notices by webhook to desk: 1 notice to be tried again since"),
        "{status}"
    );
    assert!(status.contains("it answered 503."), "{status}");
    receiver.is(Mood::Takes);
    world.pass("2026-11-03").await;
    assert_eq!(world.outbox().await, ["webhook desk 2 t f"]);
    let ids = receiver.ids();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
    let bodies = bodies(&receiver);
    assert_eq!(bodies[0], bodies[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_taken_for_a_week_is_given_up_and_shown() {
    let mut world = World::new().await;
    let receiver = Receiver::start().await;
    world.webhook(&receiver, "waiting");
    receiver.is(Mood::Says(500, String::new()));
    world.pass("2026-11-02").await;
    world.pass("2026-11-08").await;
    world.pass("2026-11-09").await;
    assert_eq!(
        world.outbox().await,
        [
            "webhook desk 3 f t it answered 500",
            "webhook desk 1 f f it answered 500"
        ]
    );
    let status = world.says(&["status"]);
    assert!(
        status.contains("1 notice to be tried again, 1 notice GIVEN UP since"),
        "{status}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_says_what_waits_and_what_to_do_and_is_sent_again_under_the_same_id() {
    let mut world = World::new().await;
    let server = MailServer::start().await;
    server.refuses(true);
    world.set("EMAIL__OFFICER__URL", &server.url);
    world.set("EMAIL__OFFICER__FROM", "retentiond@example.org");
    world.set(
        "EMAIL__OFFICER__TO",
        "Records <records@example.org>, dpo@example.org",
    );
    world.set("EMAIL__OFFICER__USER", "retentiond");
    world.set("EMAIL__OFFICER__PASSWORD_FILE", &world.path("password"));
    world.set("EMAIL__OFFICER__ON", "waiting");
    world.pass("2026-11-02").await;
    assert_eq!(
        world.outbox().await,
        ["email officer 1 f f the mail server answered 451"]
    );
    server.refuses(false);
    world.pass("2026-11-03").await;
    assert_eq!(world.outbox().await, ["email officer 2 t f"]);
    let mails = server.mails();
    assert_eq!(mails.len(), 2);
    let mail = &mails[1];
    assert_eq!(mail.signed_in, "\0retentiond\0swordfish");
    assert_eq!(mail.to, ["<records@example.org>", "<dpo@example.org>"]);
    let id = |text: &str| {
        let line = text
            .lines()
            .find(|line| line.starts_with("Message-ID: <notice_"));
        line.unwrap_or_else(|| panic!("{text}")).to_owned()
    };
    assert_eq!(id(&mails[0].text), id(&mail.text));
    for line in [
        "Subject: [retentiond] Test: something waits for you",
        "letters: 1 record waits for a person.",
        "  Run `retentiond plan`: it says for what, and for whom.",
    ] {
        assert!(
            mail.text.lines().any(|said| said == line),
            "{line}: {}",
            mail.text
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_tells_at_the_end_of_a_run_and_logs_no_secret() {
    let mut world = World::new().await;
    let (receiver, server) = (Receiver::start().await, MailServer::start().await);
    world.webhook(&receiver, "waiting");
    receiver.is(Mood::Says(503, "Jane Roe".to_owned()));
    world.set("EMAIL__OFFICER__URL", &server.url);
    world.set("EMAIL__OFFICER__FROM", "retentiond@example.org");
    world.set("EMAIL__OFFICER__TO", "records@example.org");
    world.set("EMAIL__OFFICER__USER", "retentiond");
    world.set("EMAIL__OFFICER__PASSWORD_FILE", &world.path("password"));
    let said = world.says(&["run"]);
    assert!(
        said.contains("a notice was not taken; it is tried again"),
        "{said}"
    );
    assert!(said.contains("notice delivered"), "{said}");
    assert_eq!((receiver.ids().len(), server.mails().len()), (1, 1));
}
