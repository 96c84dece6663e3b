//! Another program, written from docs/LEDGER.md alone (tests/verify_ledger.py), reads what ours
//! wrote and answers as ours does, also after every kind of change.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/mod.rs"]
mod support;
#[allow(dead_code)]
#[path = "ledger_sealed/world.rs"]
mod world;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::prelude::{BASE64_STANDARD as BASE64, Engine as _};
use chrono::TimeDelta;
use retentiond::ident::{ClassId, Ident};
use retentiond::ledger::audit::{Trust, Verification};
use retentiond::ledger::keychange::KeyChange;
use retentiond::ledger::proof::Proof;
use retentiond::ledger::publish::{Folder, verify_export, verify_folder};
use retentiond::ledger::store::{self, ExportFormat, Filter};
use retentiond::ledger::{
    Action, Entry, KeyColumn, KeyColumns, KeyKind, KeyValue, Manifest, ManifestBuilder,
};
use serde_json::{Value, json};
use sqlx::Connection as _;

use crate::world::{World, noon};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verify_ledger.py");

/// What the script prints, and its exit code.
fn python(arguments: &[&str]) -> (Option<i32>, Value) {
    let ran = Command::new("python3")
        .arg("-B")
        .arg(SCRIPT)
        .args(arguments)
        .output()
        .expect("python3 is on the PATH: see scripts/ensure-python");
    let said = serde_json::from_slice(&ran.stdout)
        .unwrap_or_else(|_| panic!("{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr)));
    (ran.status.code(), said)
}

fn columns(of: &[(&str, KeyKind)]) -> KeyColumns {
    let column = |&(name, kind): &(&str, KeyKind)| KeyColumn {
        name: Ident::new(name).unwrap(),
        kind,
    };
    KeyColumns::new(of.iter().map(column).collect()).unwrap()
}

fn uuid(number: u128) -> String {
    let digits = format!(
        "{:032x}",
        number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
    );
    let parts = [
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..],
    ];
    parts.join("-")
}

/// The shape of no records at all.
const NONE: u8 = 255;

/// Records of the shape that the number says: every kind of key, with and without parents and
/// days.
fn records(shape: u8) -> Manifest {
    use KeyKind::{Int, Text};
    let (of, parent): (&[_], &[_]) = match shape % 6 {
        0 => (&[("id", Int)], &[]),
        1 => (&[("reference", Text)], &[]),
        2 => (&[("id", Text)], &[("case", Int)]),
        3 => (
            &[("campaign", Int), ("ref", Text), ("no", Int)],
            &[("parent id", Text)],
        ),
        4 => (&[("Ä\"b\\", Text)], &[("a", Text), ("b", Int)]),
        _ => (&[("none", Int)], &[]),
    };
    let parents = (!parent.is_empty()).then(|| columns(parent));
    let mut builder = ManifestBuilder::new(columns(of), parents, [shape; 32]);
    let number = if shape == NONE { 0 } else { 7 };
    for i in 0..number {
        let n = i64::from(shape) * 1000 + i64::from(i * i);
        let value = |&(_, kind): &(&str, KeyKind)| match (kind, i) {
            (Int, 3) => KeyValue::Int(i64::MIN),
            (Int, 4) => KeyValue::Int(i64::MAX),
            (Int, _) => KeyValue::Int(n),
            (Text, 0) => KeyValue::text("").into_owned(),
            (Text, 1 | 2) => KeyValue::Text(format!("é/{}{n}", "ü".repeat(150)).into()),
            (Text, 3 | 4) => KeyValue::Text(uuid(42).into()),
            (Text, 5) => KeyValue::Text(uuid(7).to_uppercase().into()),
            (Text, _) => KeyValue::Text(uuid(n.unsigned_abs().into()).into()),
        };
        let key: Vec<_> = of.iter().map(value).collect();
        let above: Vec<_> = parent.iter().map(value).collect();
        let trigger = (i != 2).then_some(16_495 + i * 40 - i32::from(shape));
        let last = match i {
            4 => None,
            5 => Some(19_000),
            6 if shape.is_multiple_of(4) => Some(3_000_000),
            _ => Some(trigger.unwrap_or(17_000) + 2922),
        };
        let above = (!parent.is_empty()).then_some(above.as_slice());
        builder.push(&key, trigger, last, above).unwrap();
    }
    builder.finish()
}

/// Appends so many entries, most of them with records, in four years.
async fn append(world: &mut World, number: u32) {
    for id in store::next_entry_ids(&mut world.conn, number)
        .await
        .unwrap()
    {
        let shape = u8::try_from(id.0 % 100).unwrap();
        let at =
            noon() - TimeDelta::days(i64::from(shape % 4) * 366) + TimeDelta::microseconds(id.0);
        let mut entry = Entry::new(id, at, Action::Deleted, "Ada Lovelace, né");
        entry.detail.insert("batch".to_owned(), id.0.to_string());
        if shape % 7 == 3 {
            store::append(&mut world.conn, &entry, None).await.unwrap();
            continue;
        }
        let records = records(shape);
        entry.class = ClassId::new("letters");
        entry.table = Some("correspondence".parse().unwrap());
        entry.parent = (shape % 2 == 0).then(|| "post.case".parse().unwrap());
        (entry.run, entry.schedule, entry.plan) = (Some(7), Some([1; 32]), Some([2; 32]));
        (entry.count, entry.manifest) = (records.count, Some(records.root));
        store::append(&mut world.conn, &entry, Some(&records))
            .await
            .unwrap();
    }
}

async fn say(world: &mut World, action: Action, detail: &[(&str, &str)]) {
    for id in store::next_entry_ids(&mut world.conn, 1).await.unwrap() {
        let mut entry = Entry::new(id, noon(), action, "ada");
        for (word, value) in detail {
            entry.detail.insert((*word).to_owned(), (*value).to_owned());
        }
        store::append(&mut world.conn, &entry, None).await.unwrap();
    }
}

async fn rotate(world: &mut World) {
    let origin = store::origin(&mut world.conn).await.unwrap();
    let keyring = world.places().keyring(&origin);
    let old = keyring.private(&origin).unwrap().unwrap();
    let new = keyring.prepare_next(&origin).unwrap();
    let change = KeyChange::sign(&old, &new.verifier());
    for id in store::next_entry_ids(&mut world.conn, 1).await.unwrap() {
        let mut entry = Entry::new(id, noon(), Action::KeyChanged, "ada");
        change.write(&mut entry);
        store::append(&mut world.conn, &entry, None).await.unwrap();
    }
    keyring.take_next(&new).unwrap();
}

/// A published log, its export, a key and a checkpoint that were kept: the files in a folder
/// outside.
struct Outside {
    world: World,
    folder: Folder,
    export: PathBuf,
    key: PathBuf,
    checkpoint: PathBuf,
    trust: Trust,
}

impl Outside {
    /// Three keys, five checkpoints, 27 entries, and one more that is not sealed.
    async fn new() -> Self {
        let mut world = World::empty().await;
        append(&mut world, 8).await;
        world.publish().await;
        let origin = store::origin(&mut world.conn).await.unwrap();
        let first = world.places().keyring(&origin).public().unwrap();
        for more in [1, 9] {
            rotate(&mut world).await;
            append(&mut world, more).await;
            world.publish().await;
        }
        say(&mut world, Action::OriginChanged, &[]).await;
        append(&mut world, 5).await;
        let kept = world.publish().await;
        append(&mut world, 1).await;
        world.publish().await;
        let folder = world.log().await.folder().clone();
        let beside = world.folder.path().join("beside");
        fs::create_dir(&beside).unwrap();
        let mut out = Outside {
            folder,
            export: beside.join("export.jsonl"),
            key: beside.join("key"),
            checkpoint: beside.join("kept"),
            trust: Trust {
                keys: first,
                checkpoints: vec![kept.clone()],
            },
            world,
        };
        fs::write(&out.key, format!("{}\n", out.trust.keys[0])).unwrap();
        fs::write(&out.checkpoint, kept).unwrap();
        out.write_export().await;
        out
    }

    async fn write_export(&mut self) {
        let mut text = Vec::new();
        let (all, form) = (Filter::default(), ExportFormat::JsonLines);
        store::export(&mut self.world.conn, &all, form, &mut text)
            .await
            .unwrap();
        fs::write(&self.export, text).unwrap();
    }

    /// The script's answer about the folder or the export.
    fn theirs(&self, log: &Path) -> (Option<i32>, Value) {
        let path = |path: &'_ Path| path.to_str().unwrap().to_owned();
        let (log, key, kept) = (path(log), path(&self.key), path(&self.checkpoint));
        python(&[&log, "--key", &key, "--checkpoint", &kept])
    }

    fn ours(&self, log: &Path) -> (i32, Value) {
        if log == self.export {
            let text = fs::read(log).unwrap();
            answer(verify_export(log, text.as_slice(), &self.trust))
        } else {
            answer(verify_folder(&self.folder, &self.trust))
        }
    }
}

fn verdict(found: &Verification) -> (i32, Value) {
    let verdict = found.verdict.to_string();
    let code = match (verdict.as_str(), found.anchored) {
        ("OK", true) => 0,
        ("OK", false) => 3,
        _ => 1,
    };
    let said = json!({
        "verdict": verdict,
        "size": found.size,
        "root": BASE64.encode(found.root),
        "records": found.records,
        "first_bad": found.first_bad.as_ref().and_then(|bad| bad.entry),
    });
    (code, said)
}

fn answer<E: std::fmt::Display>(found: Result<Verification, E>) -> (i32, Value) {
    match found {
        Ok(found) => {
            let (code, mut said) = verdict(&found);
            said["why"] = format!("{:?} {:?}", found.first_bad, found.remarks).into();
            (code, said)
        }
        Err(error) => (
            1,
            json!({ "verdict": "UNREADABLE", "why": error.to_string() }),
        ),
    }
}

fn only(said: &Value, words: &[&str]) -> Value {
    words
        .iter()
        .map(|word| (*word, said[word].clone()))
        .collect()
}

const ALL: [&str; 5] = ["verdict", "size", "root", "records", "first_bad"];

#[test]
fn the_vectors_of_the_page_are_reproduced() {
    assert_eq!(python(&["--self-test"]).0, Some(0));
    // Those of the keys and the proof by our code too; the others are in ledger_entry.rs and
    // ledger_manifest.rs.
    let page = include_str!("../docs/LEDGER.md");
    let blocks: Vec<&str> = page.split("```\n").collect();
    let [.., entry, _, leaf, _, _, _, _, _, keys, _, proof, _] = blocks[..] else {
        panic!("the page ends in vectors");
    };
    assert_eq!(leaf.trim().len(), 64);
    let words: Vec<&str> = keys.lines().collect();
    let known = retentiond::ledger::keyring::verifiers(words[0]).unwrap();
    let proof: Proof = proof.parse().unwrap();
    let entry = hex::decode(entry.replace('\n', "")).unwrap();
    assert_eq!(proof.check(&entry, &known).unwrap().size, 2);
    let mut change = Entry::new(
        retentiond::ledger::EntryId(1),
        noon(),
        Action::KeyChanged,
        "ada",
    );
    for (word, value) in ["old", "new", "signature"].into_iter().zip(words) {
        change.detail.insert(word.to_owned(), value.to_owned());
    }
    assert!(KeyChange::of(&change).is_some());
}

#[tokio::test]
async fn both_read_the_same_log() {
    let mut out = Outside::new().await;
    let trust = out.trust.clone();
    let inside = verdict(&world::verify(&mut out.world.conn, &trust).await);
    assert_eq!((inside.0, &inside.1["verdict"]), (0, &json!("OK")));
    for log in [&out.export, out.folder.path()] {
        let (code, said) = out.theirs(log);
        assert_eq!(
            (code, only(&said, &ALL)),
            (Some(0), inside.1.clone()),
            "{said}"
        );
        assert_eq!(only(&out.ours(log).1, &ALL), inside.1);
        let key = out.key.to_str().unwrap();
        let (code, said) = python(&[log.to_str().unwrap(), "--key", key]);
        assert_eq!(
            (code, only(&said, &ALL)),
            (Some(3), inside.1.clone()),
            "{said}"
        );
    }
    // An entry that is not sealed yet changes nothing.
    append(&mut out.world, 1).await;
    out.write_export().await;
    let (code, said) = out.theirs(&out.export);
    assert_eq!((code, only(&said, &ALL)), (Some(0), inside.1), "{said}");
}

#[tokio::test]
async fn dropped_details_are_nothing_wrong_to_either() {
    let mut out = Outside::new().await;
    say(&mut out.world, Action::DetailsDropped, &[("year", "2024")]).await;
    out.world.publish().await;
    for year in [2024, 2025] {
        fs::remove_dir_all(out.folder.path().join(format!("manifests/{year}"))).unwrap();
        let drop = format!("DELETE FROM retentiond.ledger_manifest WHERE year = {year}");
        let mut tx = out.world.conn.begin().await.unwrap();
        world::tamper(&mut tx, &drop).await;
        tx.commit().await.unwrap();
        let trust = out.trust.clone();
        let inside = verdict(&world::verify(&mut out.world.conn, &trust).await);
        let expected = if year == 2024 { "OK" } else { "TAMPERED" };
        assert_eq!(inside.1["verdict"], expected);
        out.write_export().await;
        for log in [&out.export, out.folder.path()] {
            let (code, said) = out.theirs(log);
            assert_eq!(
                (code, only(&said, &ALL)),
                (Some(inside.0), inside.1.clone()),
                "{said}"
            );
            assert_eq!(only(&out.ours(log).1, &ALL), inside.1);
        }
    }
}

/// What the other program found first, and ours did not see; the smallest examples.
#[tokio::test]
async fn what_the_other_program_found_first() {
    let out = Outside::new().await;
    let root = out.folder.path();
    let twice = |text: &str| format!("{text}{}\n", text.lines().next().unwrap());
    let own = |name: &str| {
        (
            root.join(name),
            fs::read_to_string(root.join(name)).unwrap(),
        )
    };
    let entries = own("entries/00000000000000000000.jsonl");
    let manifests = own("manifests/2023/00000000000000000000.jsonl");
    let other = own("manifests/2026/00000000000000000010.jsonl");
    let newest = own("checkpoint");
    let foreign = format!(
        "{}{}",
        other.1,
        manifests.1.split_inclusive('\n').next().unwrap()
    );
    let mut unlike = Vec::new();
    for (what, (path, was), now) in [
        (
            "the newest checkpoint's signature",
            &newest,
            newest.1.replacen("— r", "— R", 1),
        ),
        ("an entry twice", &entries, twice(&entries.1)),
        ("a manifest twice", &manifests, twice(&manifests.1)),
        ("a manifest twice, in two files", &other, foreign),
    ] {
        fs::write(path, now).unwrap();
        assert_eq!(out.theirs(root).1["verdict"], "TAMPERED", "{what}");
        unlike.extend((out.ours(root).1["verdict"] != "TAMPERED").then_some(what));
        fs::write(path, was).unwrap();
    }
    let [from, to] = ["manifests/2023", "manifests/1999"].map(|year| root.join(year));
    fs::rename(from, to).unwrap();
    assert_eq!(out.theirs(root).1["verdict"], "TAMPERED");
    unlike
        .extend((out.ours(root).1["verdict"] != "TAMPERED").then_some("manifests of another year"));
    assert!(unlike.is_empty(), "{unlike:?}");
}

/// An export shows no columns of a manifest without records; the page says what its root is.
#[tokio::test]
async fn an_export_of_a_manifest_without_records_is_as_it_was_written() {
    let mut out = Outside::new().await;
    let records = records(NONE);
    for id in store::next_entry_ids(&mut out.world.conn, 1).await.unwrap() {
        let mut entry = Entry::new(id, noon(), Action::Flagged, "service");
        entry.table = Some("correspondence".parse().unwrap());
        entry.manifest = Some(records.root);
        store::append(&mut out.world.conn, &entry, Some(&records))
            .await
            .unwrap();
    }
    out.world.publish().await;
    out.write_export().await;
    for log in [out.folder.path(), &out.export] {
        assert_eq!(out.theirs(log).1["verdict"], "OK");
        assert_eq!(out.ours(log).1["verdict"], "OK", "{}", log.display());
    }
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

const KINDS: usize = 16;

/// A file's bytes after a change of a kind; `None` if it is gone.
fn change(kind: usize, bytes: &[u8], other: &[u8], dice: &mut Dice) -> Option<Vec<u8>> {
    let mut bytes = bytes.to_vec();
    let at = dice.below(bytes.len());
    let mut lines: Vec<&[u8]> = other.split_inclusive(|&byte| byte == b'\n').collect();
    let foreign = lines[dice.below(lines.len())].to_vec();
    let own = bytes.clone();
    lines = own.split_inclusive(|&byte| byte == b'\n').collect();
    let (i, j) = (dice.below(lines.len()), dice.below(lines.len()));
    let digits = |bytes: &[u8], of: &[u8]| -> Vec<usize> {
        (0..bytes.len())
            .filter(|&i| of.contains(&bytes[i]))
            .collect()
    };
    match kind {
        0 => bytes[at] = 0x20 + dice.below(95) as u8,
        1 => bytes[at] ^= 1,
        2 => drop(bytes.remove(at)),
        3 => bytes.insert(at, 0x20 + dice.below(95) as u8),
        4..=6 => {
            let of: &[u8] = [
                b"0123456789abcdef".as_slice(),
                b"0123456789",
                b"abcdefABCDEF",
            ][kind - 4];
            let places = digits(&bytes, of);
            if let Some(&place) = places.get(dice.below(places.len().max(1))) {
                bytes[place] = of[dice.below(of.len())];
            }
        }
        7 => drop(lines.remove(i)),
        8 => lines.swap(i, j),
        9 => lines.insert(i, lines[j]),
        10 => lines[i] = &foreign,
        11 => bytes.truncate(at),
        12 => bytes[at] = dice.below(256) as u8,
        13 => bytes.push(b'\n'),
        14 => bytes.clear(),
        _ => return None,
    }
    Some(if (7..=10).contains(&kind) {
        lines.concat()
    } else {
        bytes
    })
}

/// `ROUNDS=50 SEED=7` looks for longer.
#[tokio::test]
async fn both_say_the_same_of_every_change() {
    let mut out = Outside::new().await;
    append(&mut out.world, 1).await;
    out.write_export().await;
    let rounds: usize = std::env::var("ROUNDS").map_or(2, |text| text.parse().unwrap());
    let mut dice = Dice(std::env::var("SEED").map_or(1, |text| text.parse().unwrap()));
    let mut unlike = Vec::new();
    for log in [out.folder.path(), &out.export] {
        let files = match log.is_dir() {
            true => files(log),
            false => vec![log.to_owned()],
        };
        for round in 0..rounds * KINDS {
            let kind = round % KINDS;
            let file = &files[dice.below(files.len())];
            let other = fs::read(&files[dice.below(files.len())]).unwrap();
            let was = fs::read(file).unwrap();
            match change(kind, &was, &other, &mut dice) {
                Some(bytes) => fs::write(file, bytes).unwrap(),
                None if log.is_dir() => fs::remove_file(file).unwrap(),
                None => continue,
            }
            let (ours, theirs) = (out.ours(log), out.theirs(log));
            let words = ["verdict", "first_bad"];
            let name = file.strip_prefix(log).unwrap();
            if (Some(ours.0), only(&ours.1, &words)) != (theirs.0, only(&theirs.1, &words)) {
                let now = fs::read(file).unwrap_or_default();
                let from = now.iter().zip(&was).take_while(|(a, b)| a == b).count();
                let piece = |bytes: &[u8]| {
                    let end = bytes.len().min(from + 30);
                    String::from_utf8_lossy(&bytes[from.saturating_sub(30)..end]).into_owned()
                };
                unlike.push(format!(
                    "kind {kind} of {} at {from}: {:?} -> {:?}\n  ours   {} {}\n  theirs {:?} {}\n",
                    name.display(),
                    piece(&was),
                    piece(&now),
                    ours.0,
                    ours.1,
                    theirs.0,
                    theirs.1
                ));
            }
            fs::write(file, was).unwrap();
        }
    }
    assert!(
        unlike.is_empty(),
        "{}{} of them",
        unlike.concat(),
        unlike.len()
    );
}

#[tokio::test]
async fn every_entry_is_proved_to_the_other_program() {
    let mut world = World::empty().await;
    append(&mut world, 11).await;
    let note = world.publish().await;
    let origin = store::origin(&mut world.conn).await.unwrap();
    let beside = tempfile::tempdir().unwrap();
    let (key, file) = (beside.path().join("key"), beside.path().join("proof"));
    let public = &world.places().keyring(&origin).public().unwrap()[0];
    fs::write(&key, public.to_string()).unwrap();
    let entries: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT body FROM retentiond.ledger_entry JOIN retentiond.ledger_seal USING (entry_id)
         ORDER BY leaf_index",
    )
    .fetch_all(&mut world.conn)
    .await
    .unwrap();
    for (index, body) in (0..).zip(&entries) {
        let proof = Proof {
            extra: (index == 3).then(|| b"beside".to_vec()),
            index,
            path: store::inclusion(&mut world.conn, index, 11).await.unwrap(),
            checkpoint: note.clone(),
        };
        fs::write(&file, proof.to_string()).unwrap();
        let (file, key) = (file.to_str().unwrap(), key.to_str().unwrap());
        let shown = |bytes: &[u8]| {
            python(&[
                "--proof",
                file,
                "--entry",
                &hex::encode(bytes),
                "--key",
                key,
            ])
        };
        let (code, said) = shown(body);
        assert_eq!(
            (code, said["entry"].as_u64()),
            (Some(0), Some(index)),
            "{said}"
        );
        assert_eq!(shown(&entries[(index as usize + 1) % 11]).0, Some(1));
    }
}
