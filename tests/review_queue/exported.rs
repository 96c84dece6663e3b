//! What a terminal, a script and a spreadsheet get of a queue, and that nothing else does.

use std::process::Command;

use serde_json::{Value, json};

use crate::command::Desk;
use crate::office;
use crate::support;

async fn desk() -> (String, Desk) {
    earlier_by("0 years").await
}

/// The same where everything was that much earlier.
async fn earlier_by(period: &str) -> (String, Desk) {
    let url = office::open().await;
    let shift: Vec<String> = ["closed_on", "received_on", "touched_on"]
        .map(|column| format!("{column} = {column} - interval '{period}'"))
        .into();
    support::sql(
        &url,
        &format!(
            "UPDATE dossier SET {}; UPDATE dossier SET closed_on = '2090-12-01' WHERE id = 4",
            shift.join(", ")
        ),
    )
    .await;
    let desk = Desk::with(&url, &office::schedule());
    let approved = "review approve dossiers:1 --reason ok --as Jo";
    assert_eq!(desk.run(approved).code, 0);
    let to = [
        "review",
        "hand-on",
        "dossiers:3",
        "--to",
        "Kim Field",
        "--reason",
        "hers",
    ];
    assert_eq!(desk.run_words(&to).code, 0);
    (url, desk)
}

/// What stands in the previewed columns, as far as anybody could find it elsewhere.
const PERSONAL: [&str; 4] = ["HYPERLINK", "Ferro", "@Cy", "12.50"];

/// A CSV file as Python's own module reads it: a list of objects.
fn read_csv(desk: &Desk, name: &str) -> Vec<Value> {
    let script = "import csv, json, sys\n\
                  rows = list(csv.DictReader(open(sys.argv[1], newline='', encoding='utf-8'), strict=True))\n\
                  assert all(None not in row and None not in row.values() for row in rows)\n\
                  print(json.dumps(rows))";
    let ran = Command::new("python3")
        .args(["-c", script])
        .arg(desk.folder().join(name))
        .output()
        .expect("python3 is on the PATH: see scripts/ensure-python");
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    serde_json::from_slice(&ran.stdout).unwrap()
}

/// Days past depend on the day on which the test is run.
fn without_days(mut value: Value) -> Value {
    let days = value["days_past"].take();
    let days = days.as_i64().or_else(|| days.as_str()?.parse().ok());
    assert!(days.is_some_and(|days| days >= 265), "{days:?}");
    value
}

#[tokio::test]
async fn a_spreadsheet_gets_every_record_and_no_formula() {
    use std::os::unix::fs::PermissionsExt;
    let (_, desk) = desk().await;
    let said = desk.run("review list --sort key --output queue.csv");
    assert_eq!(
        (said.code, &*said.out, &*said.err),
        (0, "", "5 records written to queue.csv.\n")
    );
    let mode = std::fs::metadata(desk.folder().join("queue.csv")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    let rows = read_csv(&desk, "queue.csv");
    let ids: Vec<&str> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
    let expected = [
        "dossiers:1",
        "dossiers:2",
        "dossiers:3",
        "dossiers:7",
        "dossiers:10",
    ];
    assert_eq!(ids, expected);
    let schedule = rows[0]["schedule"].clone();
    assert_eq!(schedule.as_str().unwrap().len(), 64);
    assert_eq!(
        without_days(rows[0].clone()),
        json!({
            "id": "dossiers:1", "class": "dossiers", "title": "dossiers", "table": "public.dossier", "key": "1",
            "trigger": "2018-03-03", "last_day": "2026-03-03", "days_past": null, "last_activity": "2018-02-05",
            "dependants": "6", "files": "2", "why": "closed on 3 March 2018, kept 8 years, through 3 March 2026",
            "schedule": schedule, "approvals": "2", "approved_by": "Jo", "handed_to": "", "queued_again": "",
            "dependants public.mention": "1", "dependants public.page": "2", "dependants public.sheet": "3",
            "shown about": "'=HYPERLINK(\"x\"), \"Ann\"", "shown amount": "-12.50",
        })
    );
    let about: Vec<&str> = rows
        .iter()
        .map(|row| row["shown about"].as_str().unwrap())
        .collect();
    assert_eq!(about[1..], ["Bo\nFerro", "", "'@Cy", ""]);
    assert_eq!(rows[2]["handed_to"], json!("Kim Field"));
    // To standard output the same.
    let said = desk.run("review list --sort key --as-format csv");
    let file = std::fs::read_to_string(desk.folder().join("queue.csv")).unwrap();
    assert_eq!((said.code, said.out), (0, file));
    // One that cannot be written is told as such.
    assert_eq!(desk.run("review list --output nowhere/queue.csv").code, 1);
}

#[tokio::test]
async fn a_script_gets_the_same_as_lines_and_as_one_object() {
    let (_, desk) = desk().await;
    let (code, answer) = desk.json("review list --class dossiers --sort key --limit 1");
    assert_eq!(code, 0, "{answer}");
    let queue = &answer["review"][0];
    let schedule = queue["schedule"].clone();
    assert!(schedule.as_str().unwrap().starts_with("sha256:"));
    assert_eq!(
        (
            &queue["class"],
            &queue["waiting"],
            &queue["approvals"],
            &queue["withheld"]
        ),
        (&json!("dossiers"), &json!(5), &json!(2), &json!([]))
    );
    let record = json!({
        "trigger": "2018-03-03", "last_day": "2026-03-03", "days_past": null, "last_activity": "2018-02-05",
        "dependants": { "public.mention": 1, "public.page": 2, "public.sheet": 3 }, "files": 2,
        "why": "closed on 3 March 2018, kept 8 years, through 3 March 2026",
        "approved_by": ["Jo"], "void": null, "handed_to": null,
        "preview": { "about": "=HYPERLINK(\"x\"), \"Ann\"", "amount": "-12.50" },
        "id": "dossiers:1", "key": { "id": 1 },
    });
    assert_eq!(without_days(queue["records"][0].clone()), record);
    assert_eq!(queue["records"].as_array().unwrap().len(), 1);

    let said = desk.run("review list --sort key --output queue.jsonl");
    assert_eq!(said.code, 0, "{said}");
    let file = std::fs::read_to_string(desk.folder().join("queue.jsonl")).unwrap();
    let lines: Vec<Value> = file
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 5);
    let mut expected = record;
    for (name, value) in [
        ("class", json!("dossiers")),
        ("table", json!("public.dossier")),
        ("approvals", json!(2)),
        ("schedule", schedule),
    ] {
        expected[name] = value;
    }
    assert_eq!(without_days(lines[0].clone()), expected);
}

/// On a terminal of a hundred columns: the program is run by Python's, which sets its width.
#[tokio::test]
async fn a_person_sees_it_on_a_terminal_of_a_hundred_columns() {
    // So long ago that the number of days has four digits for many a year.
    let (_, desk) = earlier_by("8 years").await;
    let script = "import fcntl, os, pty, struct, sys, termios\n\
        pid, tty = pty.fork()\n\
        if pid == 0:\n    \
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack('HHHH', 40, 100, 0, 0))\n    \
            os.execv(sys.argv[1], sys.argv[1:])\n\
        out = b''\n\
        while True:\n    \
            try:\n        part = os.read(tty, 65536)\n    \
            except OSError:\n        break\n    \
            if not part:\n        break\n    \
            out += part\n\
        os.waitpid(pid, 0)\n\
        sys.stdout.buffer.write(out.replace(b'\\r\\n', b'\\n'))\n";
    let program = desk.command(&["review", "list", "--sort", "key"]);
    let ran = Command::new("python3")
        .args(["-c", script])
        .arg(program.get_program())
        .args(program.get_args())
        .env_clear()
        .envs(
            program
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("NO_COLOR", "1")
        .current_dir(desk.folder())
        .output()
        .expect("python3 is on the PATH: see scripts/ensure-python");
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    let text = String::from_utf8(ran.stdout).unwrap();
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    // Days past change with the day, the digest with the file.
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    let text = text.lines().map(masked).collect::<Vec<_>>().join("\n");
    settings.bind(|| insta::assert_snapshot!("terminal", text));
}

/// Stars for the last number of a line that follows two days, and for the digest.
fn masked(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let is_day = |word: &&str| word.len() == 10 && word.as_bytes()[4] == b'-';
    let days = words.iter().filter(|word| is_day(word)).count();
    let mask = |word: &&str| {
        let number = word.parse::<u64>().is_ok() && word.len() > 2;
        let digest = word.len() == 12 && word.chars().all(|c| c.is_ascii_hexdigit());
        if digest || (number && days >= 2) {
            "*".repeat(word.len())
        } else {
            (*word).to_owned()
        }
    };
    words.iter().map(mask).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn nothing_of_what_is_shown_is_logged_or_kept() {
    let (url, desk) = desk().await;
    for line in [
        "review list -vv",
        "review list -vv --output queue.csv",
        "review approve --class dossiers --reason ok --as Kim -vv",
        "run -vv",
    ] {
        let said = desk.run(line);
        for text in PERSONAL {
            assert!(!said.err.contains(text), "{line}: {text}: {}", said.err);
        }
        // The control: the answer itself has it.
        if line == "review list -vv" {
            assert!(
                PERSONAL.iter().all(|text| said.out.contains(text)),
                "{said}"
            );
        }
    }
    let ours = support::texts(
        &url,
        "SELECT query_to_xml(format('SELECT t::text FROM retentiond.%I t', tablename), true, false, '')::text
           FROM pg_tables WHERE schemaname = 'retentiond'",
    )
    .await;
    let ours = ours.concat();
    let as_hex: Vec<String> = PERSONAL.iter().map(hex::encode).collect();
    for text in PERSONAL
        .iter()
        .copied()
        .chain(as_hex.iter().map(String::as_str))
    {
        assert!(!ours.contains(text), "{text}");
    }
}
