//! `init`, then `check` and `plan` without an edit, on the schemas of three real applications
//! of different style. Debian's packages carry them; `scripts/real-schemas` takes them from
//! there, and nothing of them is kept here but names and facts, which were checked by hand.
//!
//! Needs Debian 12 and its packages' server. Elsewhere it says so and passes, but under CI
//! (`CI=true`), where it has to run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)]
#[path = "cli/command.rs"]
mod command;
mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use command::Desk;
use serde_json::Value;

#[tokio::test]
async fn init_check_and_plan_work_on_three_real_applications() {
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/real-schemas");
    let fetched = Command::new(script).arg(folder.path()).output().unwrap();
    if !fetched.status.success() {
        let why = String::from_utf8_lossy(&fetched.stderr);
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "the schemas could not be fetched:\n{why}"
        );
        eprintln!("SKIPPED: the schemas of real applications could not be fetched:\n{why}");
        return;
    }
    let schema = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    request_tracker(&schema("rt.sql")).await;
    zabbix(&schema("zabbix.sql")).await;
    roundcube(&schema("roundcube.sql")).await;
}

struct Proposed {
    url: String,
    desk: Desk,
    text: String,
    /// By table: the trigger.
    triggers: BTreeMap<String, Option<String>>,
    /// By table: why it is not proposed.
    left_out: BTreeMap<String, String>,
}

/// A database with the schema; `init`, `check` and `plan`, each without a complaint.
async fn proposed(schema: &str) -> Proposed {
    let url = support::database().await;
    support::sql(&url, schema).await;
    let desk = Desk::bare().set("DATABASE_URL", &url);
    let (exit, answer) = desk.json("init --output retention.toml");
    assert_eq!(exit, 0, "{answer}");
    let text = std::fs::read_to_string(desk.folder().join("retention.toml")).unwrap();

    let (exit, checked) = desk.json("check");
    assert_eq!(exit, 0, "{checked}");
    let (exit, planned) = desk.json("plan");
    assert_eq!(exit, 0, "{planned}");
    for class in planned["plan"]["classes"].as_array().unwrap() {
        let status = class["status"].as_str().unwrap();
        assert!(["idle", "retained"].contains(&status), "{class}");
        assert!(
            ["flag", "retain"].contains(&class["disposal"].as_str().unwrap()),
            "{class}"
        );
    }
    let by_table = |list: &str, what: &str| -> BTreeMap<String, Value> {
        answer["init"][list]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| {
                let table = one["table"].as_str().unwrap();
                (
                    table.strip_prefix("public.").unwrap().to_owned(),
                    one[what].clone(),
                )
            })
            .collect()
    };
    let text_of = |value: Value| value.as_str().map(str::to_owned);
    let triggers = by_table("classes", "trigger")
        .into_iter()
        .map(|(table, value)| (table, text_of(value)))
        .collect();
    let left_out = by_table("not_proposed", "why")
        .into_iter()
        .map(|(table, value)| (table, text_of(value).unwrap()))
        .collect();
    let all = support::number(
        &url,
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'",
    )
    .await;
    let proposed = Proposed {
        url,
        desk,
        text,
        triggers,
        left_out,
    };
    // Every table is somewhere.
    let told = proposed.triggers.len() + proposed.left_out.len();
    assert_eq!(told, usize::try_from(all).unwrap());
    proposed.every_strategy_fits();
    proposed
}

/// Comments as prose, wherever their lines end.
fn unwrapped(text: &str) -> String {
    let words: Vec<&str> = text
        .split_whitespace()
        .filter(|word| *word != "#")
        .collect();
    words.join(" ")
}

impl Proposed {
    /// The part of the file about a table.
    fn about(&self, table: &str) -> &str {
        let start = self
            .text
            .find(&format!("# Table {table}\n"))
            .unwrap_or_else(|| panic!("{table}"));
        let rest = &self.text[start..];
        &rest[..rest.find("\n# ---").unwrap_or(rest.len())]
    }

    /// What is proposed for each column, in words.
    fn anonymise(&self, table: &str) -> Vec<&str> {
        let about = self.about(table);
        let Some((_, block)) = about.split_once("# [class.anonymise]\n") else {
            return Vec::new();
        };
        block
            .lines()
            .filter_map(|line| line.strip_prefix("# ")?.split_once(" #"))
            .map(|(line, _)| line.trim_end())
            .collect()
    }

    fn why(&self, why: &str) -> Vec<&str> {
        self.left_out
            .iter()
            .filter(|(_, given)| *given == why)
            .map(|(table, _)| table.as_str())
            .collect()
    }

    fn triggers(&self) -> Vec<(&str, &str)> {
        self.triggers
            .iter()
            .map(|(table, trigger)| (table.as_str(), trigger.as_deref().unwrap_or("none")))
            .collect()
    }

    /// With the proposed columns taken as they stand, the database has nothing against them.
    fn every_strategy_fits(&self) {
        let mut blocks = 0;
        let mut text = String::new();
        for (nth, part) in self.text.split("\n[[class]]\n").enumerate() {
            if nth > 0 {
                text.push_str("\n[[class]]\n");
            }
            let Some((before, block)) =
                part.split_once("# [class.anonymise]\n").filter(|_| nth > 0)
            else {
                text.push_str(part);
                continue;
            };
            blocks += 1;
            let retained = before
                .lines()
                .position(|line| line == "disposal = \"retain\"");
            for (nth, line) in before.lines().enumerate() {
                let line = match retained {
                    // A fixed date, which every table has.
                    Some(at) if nth == at => {
                        "disposal = \"anonymise\"\ntrigger = 2020-01-01\nperiod = \"6 years\""
                    }
                    Some(at) if nth == at + 1 || nth == at + 2 => "",
                    _ if line == "disposal = \"flag\"" => "disposal = \"anonymise\"",
                    _ => line,
                };
                text.push_str(line);
                text.push('\n');
            }
            text.push_str("[class.anonymise]\n");
            for line in block.lines() {
                let proposal = line.strip_prefix("# ").filter(|line| {
                    line.split_once(" #")
                        .is_some_and(|(line, _)| line.contains(" = \""))
                });
                text.push_str(proposal.unwrap_or(line));
                text.push('\n');
            }
        }
        assert!(blocks > 0);
        self.desk.write("anonymise.toml", &text);
        let said = self.desk.run("check --schedule anonymise.toml");
        assert_eq!(said.code, 0, "{said}");
    }

    /// With the relations that nobody declared taken as they stand, class by class, the
    /// database has nothing against them. By table: how many there are.
    fn every_relation_fits(&self) -> BTreeMap<&str, usize> {
        let mut parts = self.text.split("\n[[class]]\n");
        let head = parts.next().unwrap();
        let mut found = BTreeMap::new();
        for part in parts {
            let remarks = part.lines().filter_map(|line| line.strip_prefix("#     "));
            let entries: Vec<&str> = remarks.filter(|line| line.contains(", on = ")).collect();
            if entries.is_empty() {
                continue;
            }
            let own = part.lines().filter(|line| !line.starts_with('#'));
            let own: Vec<&str> = own.collect();
            let own = own.join("\n").replace("\"flag\"", "\"delete\"");
            let entries_written = entries.join("\n");
            self.desk.write(
                "relations.toml",
                format!("{head}\n[[class]]\n{own}\ndependants = [\n{entries_written}\n]\n"),
            );
            let said = self.desk.run("check --schedule relations.toml");
            assert_eq!(said.code, 0, "{own}\n{entries_written}\n{said}");
            let table = part.split("table = \"").nth(1).unwrap();
            found.insert(table.split('"').next().unwrap(), entries.len());
        }
        found
    }
}

/// Timestamps without a zone, keys that are called `id`, and no declared foreign key at all.
async fn request_tracker(schema: &str) {
    let rt = proposed(schema).await;
    assert_eq!(
        support::number(
            &rt.url,
            "SELECT count(*) FROM pg_constraint WHERE contype = 'f'"
        )
        .await,
        0
    );
    assert_eq!(
        rt.triggers(),
        [
            ("attachments", "created"),
            ("authtokens", "lastused"),
            ("queues", "created"),
            ("sessions", "lastupdated"),
            ("tickets", "resolved"),
            ("transactions", "created"),
            ("users", "created"),
        ]
    );
    // Configuration, links and custom fields: dated, and without a personal column by name.
    assert_eq!(rt.why("not-personal").len(), 22);
    assert_eq!(
        rt.why("nothing"),
        ["cachedgroupmembers", "objecttopics", "principals", "topics"]
    );
    assert_eq!(rt.left_out.len(), 26);

    let tickets = rt.about("tickets");
    assert!(tickets.contains("trigger = \"resolved\""));
    for date in [
        "`started`",
        "`created`",
        "`lastupdated`",
        "not `starts`: something planned",
        "not `due`: something planned",
    ] {
        assert!(unwrapped(tickets).contains(date), "{date}\n{tickets}");
    }
    assert!(
        tickets.contains("# trigger_zone = \"UTC\"")
            && tickets.contains("# unless_active = [\"lastupdated\"]")
    );

    // The relations are undeclared, and found by the columns' names.
    assert!(
        rt.about("transactions")
            .contains("{ table = \"attachments\", on = \"transactionid = id\" },")
    );
    assert!(
        rt.about("transactions")
            .contains("`objecttype` and `objectid` seem to refer to rows of several tables")
    );
    assert!(
        rt.about("queues")
            .contains("{ table = \"tickets\", on = \"queue = id\" },")
    );
    assert!(!rt.text.contains("dependants = [\n"));
    assert_eq!(
        rt.every_relation_fits(),
        BTreeMap::from([("queues", 2), ("transactions", 1)])
    );

    // Users1 is a unique index on lower(name): NULL and [redacted] are out of the question.
    assert_eq!(
        rt.anonymise("users"),
        [
            "name = \"pseudonym\"",
            "password = \"null\"",
            "authtoken = \"null\"",
            "comments = \"null\"",
            "signature = \"null\"",
            "emailaddress = \"null\"",
            "freeformcontactinfo = \"null\"",
            "realname = \"null\"",
            "nickname = \"null\"",
            "gecos = \"null\"",
            "homephone = \"null\"",
            "workphone = \"null\"",
            "mobilephone = \"null\"",
            "pagerphone = \"null\"",
            "address1 = \"null\"",
            "address2 = \"null\"",
            "city = \"null\"",
            "state = \"null\"",
            "zip = \"null\"",
            "country = \"null\"",
        ]
    );
    assert!(!rt.about("attachments").contains("filename"));
}

/// Every date is a number of seconds; hundreds of declared foreign keys.
async fn zabbix(schema: &str) {
    let zabbix = proposed(schema).await;
    let dates = "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public'
                    AND (data_type = 'date' OR data_type LIKE 'timestamp%')";
    assert_eq!(support::number(&zabbix.url, dates).await, 0);
    // So nothing can be counted, and the one class that a schedule needs keeps and says so.
    assert_eq!(zabbix.triggers(), [("host_inventory", "none")]);
    assert!(
        zabbix.text.contains("disposal = \"retain\"")
            && !zabbix.text.contains("disposal = \"flag\"\n")
    );

    let epochs = zabbix.why("epoch-dates");
    for table in [
        "acknowledges",
        "alerts",
        "auditlog",
        "events",
        "history",
        "problem",
        "sessions",
        "token",
        "trends",
        "users",
    ] {
        assert!(epochs.contains(&table), "{table}: {epochs:?}");
    }
    let said = unwrapped(&zabbix.text);
    for line in [
        "alerts: looks personal by `sendto`, `message`; dated by `clock`",
        "auditlog: looks personal by `username`, `ip`; dated by `clock`",
        "token: looks personal by `token`; dated by `lastaccess`, `expires_at`, `created_at`",
        "users: looks personal by `username`, `name`, `surname`, `passwd`, `attempt_ip`; dated by `attempt_clock`",
        "(the key `unit`)",
    ] {
        assert!(said.contains(line), "{line}");
    }
    // Durations, retries and references are no dates.
    let kept = [
        "config",
        "httptest",
        "items",
        "media",
        "media_type",
        "scripts",
    ];
    let no_date = zabbix.why("no-date");
    for table in kept {
        assert!(no_date.contains(&table), "{table}: {no_date:?}");
    }
    assert!(zabbix.why("nothing").contains(&"role"));
    assert!(zabbix.why("nothing").contains(&"hstgrp"));
    let host_inventory = zabbix.anonymise("host_inventory");
    for column in [
        "poc_1_name",
        "poc_1_email",
        "poc_1_phone_a",
        "poc_1_cell",
        "poc_2_notes",
        "site_zip",
        "installer_name",
    ] {
        assert!(
            host_inventory.contains(&format!("{column} = \"redact\"").as_str()),
            "{column}: {host_inventory:?}"
        );
    }
}

/// Timestamps with a zone, keys of their own names, foreign keys ON DELETE CASCADE.
async fn roundcube(schema: &str) {
    let roundcube = proposed(schema).await;
    assert_eq!(
        roundcube.triggers(),
        [
            ("cache", "expires"),
            ("cache_index", "expires"),
            ("cache_messages", "expires"),
            ("cache_shared", "expires"),
            ("cache_thread", "expires"),
            ("collected_addresses", "changed"),
            ("contacts", "changed"),
            ("identities", "changed"),
            ("session", "changed"),
            ("users", "last_login"),
        ]
    );
    assert_eq!(roundcube.why("epoch-dates"), ["filestore"]);
    assert_eq!(roundcube.why("no-primary-key"), ["dictionary"]);
    assert_eq!(
        roundcube.why("not-personal"),
        ["contactgroupmembers", "contactgroups", "responses"]
    );
    assert_eq!(roundcube.why("nothing"), ["searches", "system"]);
    assert_eq!(roundcube.left_out.len(), 7);
    assert_eq!(
        roundcube.anonymise("identities"),
        [
            "name = \"redact\"",
            "email = \"redact\"",
            "reply-to = \"null\"",
            "bcc = \"null\"",
            "signature = \"null\""
        ]
    );
    // Unique together with the user and the type.
    assert_eq!(
        roundcube.anonymise("collected_addresses"),
        ["name = \"redact\"", "email = \"pseudonym\""]
    );
    assert_eq!(roundcube.anonymise("users"), ["username = \"pseudonym\""]);
    assert!(
        unwrapped(roundcube.about("users")).contains("not `failed_login`: an attempt that failed")
    );

    // The dependants as proposed are all that a deletion of a user reaches; only the
    // dictionary stands in its way, as the comment says.
    let users = roundcube.about("users");
    assert!(users.contains("\"dictionary\","));
    let class = users.split_once("[[class]]").unwrap().1;
    let (before, list) = class.split_once("# dependants = [\n").unwrap();
    let (list, _) = list.split_once("# ]\n").unwrap();
    let names: Vec<&str> = list
        .lines()
        .filter_map(|line| line.split('"').nth(1))
        .collect();
    assert_eq!(
        names,
        [
            "cache",
            "cache_index",
            "cache_messages",
            "cache_thread",
            "collected_addresses",
            "contactgroups",
            "contacts",
            "dictionary",
            "filestore",
            "identities",
            "responses",
            "searches",
            "contactgroupmembers",
        ]
    );
    let head = roundcube
        .text
        .split_once("[schedule]")
        .unwrap()
        .1
        .split_once("\n\n\n")
        .unwrap()
        .0;
    let deletes = format!(
        "[schedule]{head}\n[[class]]{}dependants = [{}]\n",
        before.replace("\"flag\"", "\"delete\""),
        names
            .iter()
            .map(|name| format!("\"{name}\""))
            .collect::<Vec<_>>()
            .join(", ")
    );
    roundcube.desk.write("delete.toml", &deletes);
    let (exit, answer) = roundcube.desk.json("check --schedule delete.toml");
    let errors: Vec<(&Value, bool)> = answer["check"]["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|d| d["severity"] == "error")
        .map(|d| {
            (
                &d["code"],
                d["message"].as_str().unwrap().contains("dictionary"),
            )
        })
        .collect();
    assert_eq!((exit, errors), (2, vec![(&Value::from("R0304"), true)]));
    support::sql(
        &roundcube.url,
        "ALTER TABLE dictionary ADD COLUMN id serial PRIMARY KEY",
    )
    .await;
    assert_eq!(roundcube.desk.run("check --schedule delete.toml").code, 0);
}
