//! Nothing that a person wrote or is called leaves the database: not on standard output,
//! not in a log, not in an error.

use aho_corasick::AhoCorasick;
use retentiond::demo::sample::{self, SampleOptions};
use sqlx::Connection;

use crate::command::{Desk, Said};
use crate::{office, support};

const SHIPPED: &str = include_str!("../../retention.toml");

/// Everything that the sample holds about people. Short words are left out: they occur
/// in any text.
async fn secrets(url: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (table, columns) in [
        (
            "correspondence",
            &[
                "sender_name",
                "sender_email",
                "sender_phone",
                "subject",
                "body",
            ][..],
        ),
        (
            "foi_request",
            &[
                "requester_name",
                "requester_email",
                "request_text",
                "reference",
            ],
        ),
        ("foi_exchange", &["body"]),
        (
            "applicant",
            &["full_name", "email", "phone", "cv", "answers::text"],
        ),
        ("survey_sample", &["full_name", "email", "phone"]),
        ("capv_participant", &["full_name", "email", "phone"]),
        ("capv_interview", &["transcript"]),
        ("social_message", &["handle", "display_name", "body"]),
        ("media", &["people_shown", "path"]),
        ("consent_form", &["signatory_name", "scan_path"]),
        ("case_note", &["note"]),
        ("attachment", &["file_name", "extracted_text"]),
        ("opt_out", &["email"]),
    ] {
        for column in columns {
            let sql = format!("SELECT DISTINCT {column} FROM {table} WHERE length({column}) >= 8");
            found.extend(support::texts(url, &sql).await);
        }
    }
    found.sort();
    found.dedup();
    found
}

fn assert_private(said: &Said, secrets: &[String], what: &str) {
    let text = format!("{}\n{}", said.out, said.err);
    for secret in secrets {
        assert!(
            !text.contains(secret.as_str()),
            "{what} shows something personal, {} characters long",
            secret.len()
        );
    }
}

#[tokio::test]
async fn the_sample_organisation_stays_private() {
    let url = support::migrated().await;
    let folder = tempfile::tempdir().unwrap();
    let mut conn = support::client(&url).await;
    let options = SampleOptions {
        rows: 2_000,
        on: office::TODAY.parse().unwrap(),
        seed: 1,
        media_folder: Some(folder.path().join("media")),
    };
    sample::load(&mut conn, &options, &mut |_, _, _| ())
        .await
        .unwrap();
    conn.close().await.unwrap();
    let secrets = secrets(&url).await;
    assert!(secrets.len() > 1_000, "{}", secrets.len());
    let automatic = SHIPPED.replace("accept = \"by hand\"", "accept = \"automatic\"");
    let desk = Desk::with(&url, &support::unlimited(&automatic));
    desk.write(
        "settings.toml",
        format!(
            "[stores.media]\npath = \"{}\"\n[log]\nlevel = \"trace\"\n",
            folder.path().join("media").display()
        ),
    );
    for format in ["text", "json"] {
        let all = format!("--config settings.toml -vv --format {format}");
        for line in [
            "check",
            "plan",
            "run --dry-run",
            "run",
            "status",
            "ledger verify",
            "ledger list",
            "explain correspondence 1",
            "explain applicant 1",
            "explain media 4",
            "explain correspondence nope",
            "explain foi_request nope",
        ] {
            let said = desk.run(&format!("{line} {all}"));
            assert!([0, 2, 3].contains(&said.code), "{line}: {}", said.code);
            assert_private(&said, &secrets, line);
        }
    }
    for line in [
        "ledger export -vv",
        "ledger export --as-format csv",
        "ledger certificate --run 1",
        "ledger certificate --run 1 --as-format json",
    ] {
        let said = desk.run(line);
        assert!(said.out.lines().count() > 10, "{line}");
        assert_private(&said, &secrets, line);
    }
    let secrets = Secrets::new(&secrets);
    // It finds what is there: the sample's own rows.
    let letters = support::texts(&url, "SELECT c::text FROM correspondence AS c LIMIT 1").await;
    assert!(secrets.words.is_match(&letters[0]));
    assert_nothing_kept(&url, &secrets).await;
    assert_nothing_published(&desk.folder().join("state"), &secrets);
}

/// Looks for thousands of words at once.
struct Secrets<'a> {
    words: AhoCorasick,
    secrets: &'a [String],
}

impl<'a> Secrets<'a> {
    fn new(secrets: &'a [String]) -> Self {
        Self {
            words: AhoCorasick::new(secrets).unwrap(),
            secrets,
        }
    }

    fn assert_absent(&self, bytes: &[u8], what: &str) {
        if let Some(found) = self.words.find(bytes) {
            let length = self.secrets[found.pattern().as_usize()].len();
            panic!("{what} holds something personal, {length} characters long");
        }
    }
}

/// Our own schema, whole: as it prints, and the bytes of every `bytea` as they are. No hold
/// is open and no file is pending, so that nothing may be there.
async fn assert_nothing_kept(url: &str, secrets: &Secrets<'_>) {
    let tables = support::texts(
        url,
        "SELECT relname::text FROM pg_class
         WHERE relnamespace = 'retentiond'::regnamespace AND relkind = 'r' ORDER BY 1",
    )
    .await;
    assert!(tables.iter().any(|table| table == "ledger_manifest_2026"));
    for table in tables {
        let rows =
            support::texts(url, &format!("SELECT t::text FROM retentiond.{table} AS t")).await;
        secrets.assert_absent(rows.join("\n").as_bytes(), &table);
        let columns = support::texts(
            url,
            &format!(
                "SELECT attname::text FROM pg_attribute
                 WHERE attrelid = 'retentiond.{table}'::regclass AND atttypid = 'bytea'::regtype AND attnum > 0"
            ),
        )
        .await;
        for column in columns {
            let rows = support::texts(
                url,
                &format!("SELECT encode({column}, 'hex') FROM retentiond.{table} WHERE {column} IS NOT NULL"),
            )
            .await;
            for row in rows {
                secrets.assert_absent(&hex::decode(row).unwrap(), &format!("{table}.{column}"));
            }
        }
    }
}

/// The folder outside the database, likewise.
fn assert_nothing_published(folder: &std::path::Path, secrets: &Secrets<'_>) {
    let mut folders = vec![folder.to_owned()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let text = std::fs::read_to_string(&path).unwrap();
            secrets.assert_absent(text.as_bytes(), &path.display().to_string());
            for line in text
                .lines()
                .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            {
                for key in ["leaf", "records"] {
                    if let Some(hexadecimal) = line[key].as_str() {
                        let bytes = hex::decode(hexadecimal).unwrap();
                        secrets.assert_absent(&bytes, &path.display().to_string());
                    }
                }
            }
        }
    }
    assert!(files > 5, "{files}");
}

/// The server's own words about a row that cannot be dealt with quote it.
#[tokio::test]
async fn a_row_that_fails_is_not_quoted() {
    let (url, desk) = office::open().await;
    support::sql(
        &url,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN RAISE EXCEPTION 'no, not %', OLD USING DETAIL = OLD::text; END $$;
         CREATE TRIGGER t BEFORE DELETE ON letter FOR EACH ROW WHEN (OLD.id = 1) EXECUTE FUNCTION refuse();
         ALTER TABLE applicant ADD CONSTRAINT named CHECK (name <> '[redacted]') NOT VALID",
    )
    .await;
    let secrets: Vec<String> = office::SECRETS.map(str::to_owned).to_vec();
    for format in ["text", "json"] {
        let said = desk.run(&format!("run -vv --format {format}"));
        assert_eq!(said.code, 1, "{said}");
        assert_private(&said, &secrets, "run");
    }
    assert_eq!(
        support::number(&url, "SELECT count(*) FROM letter WHERE id = 1").await,
        1
    );
    assert_eq!(
        support::number(
            &url,
            "SELECT count(*) FROM applicant WHERE name = '[redacted]'"
        )
        .await,
        0
    );
    for line in [
        "plan",
        "status",
        "explain letter 1",
        "ledger export",
        "ledger list",
    ] {
        assert_private(&desk.run(line), &secrets, line);
    }
}
