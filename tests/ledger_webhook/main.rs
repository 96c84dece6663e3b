//! The log sent to webhooks: everything, in order, at least once; and what goes wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;
#[allow(dead_code)]
#[path = "../ledger_sealed/world.rs"]
mod world;

mod receiver;

use std::fs;
use std::process::Command;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD as BASE64, Engine as _};
use retentiond::ledger::audit::Verdict;
use retentiond::ledger::publish::{Folder, Log, SinkReport, Webhook, verify_folder};
use retentiond::ledger::store;
use secrecy::SecretString;

use crate::receiver::{Mood, Receiver, SECRET};
use crate::world::{World, append, noon};

fn webhook(world: &World, name: &str, url: &str) -> Webhook {
    let secret_file = world.folder.path().join("secret");
    fs::write(&secret_file, format!("whsec_{}\n", BASE64.encode(SECRET))).unwrap();
    Webhook {
        name: name.to_owned(),
        url: SecretString::from(url),
        secret_file,
        timeout: Duration::from_secs(5),
    }
}

/// A pass's log: each failure is met once in it.
async fn log(world: &mut World, webhooks: Vec<Webhook>) -> Log {
    let places = world.places();
    world.log().await.with_webhooks(&places, webhooks)
}

async fn publish(world: &mut World, webhooks: Vec<Webhook>) -> Vec<SinkReport> {
    let log = log(world, webhooks).await;
    log.publish(&mut world.conn, noon()).await.unwrap();
    log.sinks().unwrap()
}

/// What the receiver has is the log, whole.
async fn verify(world: &mut World, receiver: &Receiver, size: u64) {
    let kept = world.publish().await;
    let trust = world.trust(&[&kept]).await;
    let copy = tempfile::tempdir().unwrap();
    receiver.lay_down(copy.path());
    let found = verify_folder(&Folder::new(copy.path().to_owned()), &trust).unwrap();
    assert_eq!(
        (found.verdict, found.size),
        (Verdict::Ok, size),
        "{found:?}"
    );
    assert!(found.anchored);
    // Another program, with nothing but a public key and a checkpoint.
    let (keys, note) = (copy.path().join("k"), copy.path().join("c"));
    fs::write(
        &keys,
        trust
            .keys
            .iter()
            .map(|key| format!("{key}\n"))
            .collect::<String>(),
    )
    .unwrap();
    fs::write(&note, kept).unwrap();
    let ran = Command::new("python3")
        .args([
            "-B",
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verify_ledger.py"),
        ])
        .args(["--key", keys.to_str().unwrap(), "--checkpoint"])
        .args([note.to_str().unwrap(), copy.path().to_str().unwrap()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert_eq!(
        ran.status.code(),
        Some(0),
        "{said} {}",
        String::from_utf8_lossy(&ran.stderr)
    );
}

#[tokio::test]
async fn every_publication_is_sent_signed_and_adds_up_to_the_log() {
    let mut world = World::empty().await;
    let receiver = Receiver::start().await;
    let hook = webhook(&world, "archive", &receiver.url);
    for more in [3, 1, 6] {
        append(&mut world.conn, more).await;
        let sinks = publish(&mut world, vec![hook.clone()]).await;
        assert_eq!((sinks[0].behind, &sinks[0].failure), (Some(0), &None));
    }
    let origin = store::origin(&mut world.conn).await.unwrap();
    let log = origin.rsplit('/').next().unwrap();
    assert_eq!(
        receiver.ids(),
        [
            format!("{log}_0_3_3"),
            format!("{log}_3_4_4"),
            format!("{log}_4_10_10")
        ]
    );
    verify(&mut world, &receiver, 10).await;
    // Nothing new, nothing sent.
    publish(&mut world, vec![hook]).await;
    assert_eq!(receiver.ids().len(), 3);
}

#[tokio::test]
async fn what_an_outage_kept_back_is_sent_afterwards_from_the_folder() {
    let mut world = World::empty().await;
    let receiver = Receiver::start().await;
    let hook = webhook(&world, "archive", &receiver.url);
    // Published, and the process ended before anything was sent.
    append(&mut world.conn, 3).await;
    world.publish().await;
    let refused = Webhook {
        url: SecretString::from("http://user:swordfish@127.0.0.1:1/log?token=hunter2"),
        ..hook.clone()
    };
    let silent = Webhook {
        timeout: Duration::from_millis(50),
        ..hook.clone()
    };
    for (mood, hook, words) in [
        (
            Mood::Takes,
            refused,
            "could not be reached (Connection refused)",
        ),
        (
            Mood::Says(500, "hunter2".to_owned()),
            hook.clone(),
            "answered 500",
        ),
        (
            Mood::Says(302, String::new()),
            hook.clone(),
            "redirects are not followed",
        ),
        (Mood::Hangs, silent, "did not answer within 50 ms"),
    ] {
        receiver.is(mood);
        append(&mut world.conn, 1).await;
        let sinks = publish(&mut world, vec![hook]).await;
        let failure = sinks[0].failure.clone().unwrap();
        assert!(failure.contains(words), "{failure}");
        assert!(
            !failure.contains("hunter2") && !failure.contains("swordfish"),
            "{failure}"
        );
        assert_eq!(sinks[0].acknowledged, Some(0));
    }
    // 500, 302 and silence; a redirect leads nowhere.
    assert_eq!(receiver.ids().len(), 3);
    receiver.is(Mood::Takes);
    let log = log(&mut world, vec![hook]).await;
    log.catch_up(noon()).await;
    let sink = &log.sinks().unwrap()[0];
    assert_eq!((sink.behind, &sink.failure), (Some(0), &None));
    verify(&mut world, &receiver, 7).await;
}

#[tokio::test]
async fn a_receiver_that_is_down_is_waited_for_once_and_delays_no_other() {
    let mut world = World::with(3).await;
    let (up, down) = (Receiver::start().await, Receiver::start().await);
    down.is(Mood::Hangs);
    let mut dead = webhook(&world, "down", &down.url);
    dead.timeout = Duration::from_millis(50);
    let live = webhook(&world, "up", &up.url);
    let log = log(&mut world, vec![dead, live]).await;
    for _ in 0..3 {
        append(&mut world.conn, 1).await;
        log.publish(&mut world.conn, noon()).await.unwrap();
    }
    log.catch_up(noon()).await;
    assert_eq!(down.ids().len(), 1);
    let behind: Vec<_> = log
        .sinks()
        .unwrap()
        .iter()
        .map(|sink| sink.behind)
        .collect();
    assert_eq!(behind, [Some(6), Some(0)]);
}

#[tokio::test]
async fn a_second_root_for_one_size_is_refused_loudly_and_stops_no_publication() {
    let mut world = World::empty().await;
    let receiver = Receiver::start().await;
    let hook = webhook(&world, "archive", &receiver.url);
    append(&mut world.conn, 3).await;
    let other = format!("{{\"size\":3,\"root\":\"{}\"}}", BASE64.encode([9; 32]));
    for mood in [Mood::Says(409, String::new()), Mood::Says(200, other)] {
        receiver.is(mood);
        let sinks = publish(&mut world, vec![hook.clone()]).await;
        let failure = sinks[0].failure.clone().unwrap();
        assert!(
            failure.contains("REFUSES THE CHECKPOINT of 3 entries"),
            "{failure}"
        );
        assert!(failure.contains("retentiond ledger verify"), "{failure}");
        assert_eq!(sinks[0].acknowledged, Some(0));
    }
    assert_eq!(
        world
            .log()
            .await
            .folder()
            .checkpoint()
            .unwrap()
            .unwrap()
            .1
            .size,
        3
    );
}

#[tokio::test]
async fn a_lost_acknowledgement_or_position_repeats_the_same_parts() {
    let mut world = World::empty().await;
    let receiver = Receiver::start().await;
    let hook = webhook(&world, "archive", &receiver.url);
    // Large enough for several parts.
    for _ in 0..4 {
        append(&mut world.conn, 1500).await;
    }
    publish(&mut world, vec![hook.clone()]).await;
    let first = receiver.ids();
    assert!(first.len() > 1, "{first:?}");
    for request in receiver.requests.lock().unwrap().iter() {
        assert!(request.body.len() < (1 << 20) + 4096);
    }
    let origin = store::origin(&mut world.conn).await.unwrap();
    let state = world.folder.path().join(origin.rsplit('/').next().unwrap());
    fs::remove_file(state.join("webhooks/archive.json")).unwrap();
    publish(&mut world, vec![hook]).await;
    let ids = receiver.ids();
    assert_eq!(ids, [first.clone(), first].concat());
    {
        let requests = receiver.requests.lock().unwrap();
        let half = requests.len() / 2;
        let bodies: Vec<_> = requests.iter().map(|request| &request.body).collect();
        assert_eq!(bodies[..half], bodies[half..]);
    }
    verify(&mut world, &receiver, 6000).await;
}

/// The program as a timer runs it: against a real table, with a receiver that is down and then
/// up.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_and_the_status_say_which_receiver_is_behind_and_why() {
    let url = support::migrated().await;
    support::sql(
        &url,
        "CREATE TABLE public.letter (id bigint PRIMARY KEY, closed_at date NOT NULL, body text);
         INSERT INTO public.letter VALUES (1, '2010-01-01', 'Jane Roe, 12 High Street'), (2, '2026-01-01', 'new')",
    )
    .await;
    let receiver = Receiver::start().await;
    receiver.is(Mood::Says(503, "Jane Roe".to_owned()));
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(
        path("retention.toml"),
        "[schedule]\norganisation = \"Test\"\ntime_zone = \"Europe/London\"\nevery = \"0 0 2 * * *\"\naccept = \"automatic\"\n\
         [[class]]\nid = \"letters\"\ntitle = \"Letters\"\ntable = \"letter\"\ntrigger = \"closed_at\"\n\
         period = \"8 years\"\ndisposal = \"delete\"\nmax_share = 1.0\nauthority = \"a test\"\n",
    )
    .unwrap();
    let secret = BASE64.encode(SECRET);
    fs::write(path("secret"), format!("whsec_{secret}")).unwrap();
    let said = |words: &[&str]| {
        let ran = Command::new(env!("CARGO_BIN_EXE_retentiond"))
            .args(words)
            .env_clear()
            .env("DATABASE_URL", &url)
            .env("RETENTIOND__STATE__DIRECTORY", path("state"))
            .env("RETENTIOND__LEDGER__WEBHOOKS__ARCHIVE__URL", &receiver.url)
            .env(
                "RETENTIOND__LEDGER__WEBHOOKS__ARCHIVE__SECRET_FILE",
                path("secret"),
            )
            .env("RETENTIOND__LOG__FORMAT", "json")
            .current_dir(folder.path())
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (out, err) = (text(ran.stdout), text(ran.stderr));
        for kept in [secret.as_str(), "hunter2", "Jane Roe"] {
            assert!(
                !out.contains(kept) && !err.contains(kept),
                "{kept}: {out}\n{err}"
            );
        }
        (ran.status.code().unwrap(), out, err)
    };
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let (code, out, err) = said(&["run", "--format", "json"]);
    assert_eq!(code, 1, "{out}\n{err}");
    let run = &json(&out)["run"];
    assert_eq!(run["outcome"], "completed");
    assert_eq!(run["classes"][0]["deleted"], 1);
    let size = run["checkpoint"]["size"].as_u64().unwrap();
    let sink = serde_json::json!([{ "sink": "webhook", "name": "archive", "acknowledged": 0,
        "behind": size, "failure": "it answered 503" }]);
    assert_eq!(run["sinks"], sink);
    assert_eq!(
        json(&said(&["status", "--format", "json"]).1)["status"]["sinks"],
        sink
    );
    // The journal has the checkpoint whole, as one line.
    let lines: Vec<_> = err
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(json)
        .collect();
    let newest = lines
        .iter()
        .rfind(|line| line["message"] == "checkpoint published")
        .unwrap();
    let state = fs::read_dir(path("state"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let log = fs::read_dir(state.join("published"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    assert_eq!(
        newest["note"],
        fs::read_to_string(log.join("checkpoint")).unwrap()
    );
    receiver.is(Mood::Takes);
    let (code, out, _) = said(&["run"]);
    assert_eq!(code, 0, "{out}");
    assert!(
        out.contains("Webhook archive has every published entry."),
        "{out}"
    );
    // In text too, where standard error is the journal; not beside what is for people.
    for (journal, lines) in [(None, 0), (Some("8:42"), 1)] {
        let mut run = Command::new(env!("CARGO_BIN_EXE_retentiond"));
        run.arg("run").env_clear().env("DATABASE_URL", &url);
        run.env("RETENTIOND__STATE__DIRECTORY", path("state"));
        run.envs(journal.map(|stream| ("JOURNAL_STREAM", stream)));
        let ran = run.current_dir(folder.path()).output().unwrap();
        let err = String::from_utf8(ran.stderr).unwrap();
        let whole = |line: &&str| {
            line.contains("checkpoint published size=") && line.contains("note=\"retentiond/")
        };
        assert!(err.lines().filter(whole).count() >= lines, "{err}");
        assert_eq!(
            journal.is_some(),
            err.contains("checkpoint published"),
            "{err}"
        );
    }
    let (_, out, _) = said(&["status"]);
    assert!(out.contains("Webhook archive lacks the last "), "{out}");
    for request in receiver.requests.lock().unwrap().iter() {
        assert!(!request.body.contains("Jane Roe"));
        assert!(!request.body.contains(&hex::encode("Jane Roe")));
    }
}
