//! `kill -9` at any moment of a pass.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use retentiond::enforce::Event;

use crate::stage;
use crate::world::{self, Numbers, SQL, TABLES, assert_agrees, assert_ends};

const ROUNDS: u64 = 30;

/// Not a test of its own: what the one below runs as another program. It makes one pass,
/// and says a line for each thing that happens.
#[tokio::test]
async fn a_program_that_makes_a_pass() {
    let (Ok(url), Ok(folder)) = (std::env::var("FAULTS_URL"), std::env::var("FAULTS_FOLDER"))
    else {
        return;
    };
    let say = |word: &str| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "pass: {word}").unwrap();
        out.flush().unwrap();
    };
    say("begins");
    let report = world::pass(&url, Path::new(&folder))
        .observed(&|event| match event {
            Event::Began(_) => say("class"),
            Event::Batch(..) => say("batch"),
            Event::Ended(_)
            | Event::Trouble(..)
            | Event::Published(_)
            | Event::Unpublished(_)
            | Event::Moved(_)
            | Event::Waits(..)
            | Event::Impatient(..) => {}
        })
        .await
        .unwrap();
    say(&format!("ended {:?}", report.outcome));
}

fn program(url: &str, folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "kill::a_program_that_makes_a_pass",
            "--nocapture",
        ])
        .env("FAULTS_URL", url)
        .env("FAULTS_FOLDER", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn kill_minus_nine_leaves_tables_ledger_and_files_in_agreement() {
    let url = stage::database(SQL).await;
    let folder = tempfile::tempdir().unwrap();
    world::files(&url, folder.path()).await;
    let before = stage::rows(&url, &TABLES).await;
    let mut numbers = Numbers(20_261_123);
    let mut killed = 0;
    for round in 0..ROUNDS {
        let mut process = program(&url, folder.path());
        let mut output = BufReader::new(process.stdout.take().unwrap());
        // After so many lines, and a little later: in the middle of what comes next.
        let lines = numbers.below(12);
        let later = Duration::from_micros(numbers.below(6_000));
        let mut heard = 0;
        let mut line = String::new();
        let mut ended = false;
        while heard <= lines {
            line.clear();
            if output.read_line(&mut line).unwrap() == 0 {
                ended = true;
                break;
            }
            heard += u64::from(line.contains("pass: "));
        }
        if !ended {
            let begun = Instant::now();
            while begun.elapsed() < later {
                std::hint::spin_loop();
            }
            killed += 1;
        }
        process.kill().unwrap();
        process.wait().unwrap();
        assert_agrees(&url, &before, folder.path(), &format!("round {round}")).await;
    }
    assert!(
        killed >= ROUNDS / 2,
        "only {killed} were killed before they had ended"
    );
    assert_ends(&url, &before, folder.path()).await;
}
