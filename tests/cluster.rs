//! The private PostgreSQL: it starts, recovers, refuses, and never outlives us.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use retentiond::demo::cluster::{Cluster, ClusterError, ClusterOptions, Installation, shared};
use rustix::io::Errno;
use rustix::process::{self, Pid};
use sqlx::{Connection, PgConnection};

/// A folder of our own that also another account can reach, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("cluster-test-{}-{number}", std::process::id()));
        fs::DirBuilder::new().mode(0o755).create(&path).unwrap();
        Self(path)
    }

    fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn kept(folder: &Path) -> ClusterOptions {
    ClusterOptions {
        data_dir: Some(folder.to_path_buf()),
        durable: false,
    }
}

async fn number(url: &str, query: &'static str) -> i64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query_scalar(query)
        .fetch_one(&mut connection)
        .await
        .unwrap()
}

async fn execute(url: &str, statement: &'static str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query(statement)
        .execute(&mut connection)
        .await
        .unwrap();
}

#[tokio::test]
async fn each_database_of_the_shared_server_is_its_own() {
    let cluster = shared().unwrap();
    let one = cluster.create_database("one").await.unwrap();
    let other = cluster.create_database("an \"odd\" name/ü").await.unwrap();
    execute(&one, "CREATE TABLE letter (id bigint)").await;
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(number(&one, tables).await, 1);
    assert_eq!(number(&other, tables).await, 0);
    let error = cluster.create_database("one").await.unwrap_err();
    assert_eq!(error.to_string(), "could not create the database `one`");
}

#[tokio::test]
async fn the_server_can_be_reached_through_its_socket_alone() {
    let mut connection = PgConnection::connect(&shared().unwrap().url("postgres"))
        .await
        .unwrap();
    let mut setting = async |name: &str| -> String {
        sqlx::query_scalar("SELECT current_setting($1)")
            .bind(name.to_owned())
            .fetch_one(&mut connection)
            .await
            .unwrap()
    };
    assert_eq!(setting("listen_addresses").await, "");
    assert_eq!(setting("unix_socket_permissions").await, "0700");
    // The tests' speed comes from these two; what the program itself promises
    // of a commit is its own to set, and stays as PostgreSQL has it.
    assert_eq!(setting("fsync").await, "off");
    assert_eq!(setting("full_page_writes").await, "off");
    assert_eq!(setting("synchronous_commit").await, "on");
}

#[tokio::test]
async fn the_servers_log_holds_no_statement_and_no_row() {
    let cluster = shared().unwrap();
    let url = cluster.create_database("log").await.unwrap();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::query("CREATE TABLE person (email text PRIMARY KEY)")
        .execute(&mut connection)
        .await
        .unwrap();
    for _ in 0..2 {
        let _ = sqlx::query("INSERT INTO person VALUES ('ann@example.org')")
            .execute(&mut connection)
            .await;
    }
    let log = fs::read_to_string(cluster.log_path()).unwrap();
    assert!(
        log.contains("duplicate key value violates unique constraint"),
        "{log}"
    );
    assert!(!log.contains("ann@example.org"), "{log}");
}

#[tokio::test]
async fn what_was_committed_survives_a_crash_at_the_same_url() {
    let mut cluster = Cluster::start(ClusterOptions::default()).unwrap();
    let url = cluster.create_database("crash").await.unwrap();
    execute(
        &url,
        "CREATE TABLE letter AS SELECT generate_series(1, 7) AS id",
    )
    .await;
    let mut open = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("BEGIN; DELETE FROM letter")
        .execute(&mut open)
        .await
        .unwrap();
    cluster.crash().unwrap();
    assert!(PgConnection::connect(&url).await.is_err());
    cluster.restart().unwrap();
    assert_eq!(number(&url, "SELECT count(*) FROM letter").await, 7);
}

#[tokio::test]
async fn a_kept_folder_is_used_again_and_a_temporary_one_is_gone() {
    let folder = Folder::new();
    let data = folder.join("kept");
    let durable = ClusterOptions {
        durable: true,
        ..kept(&data)
    };
    let cluster = Cluster::start(durable).unwrap();
    let url = cluster.create_database("kept").await.unwrap();
    let on = "SELECT count(*) FROM pg_settings
              WHERE name IN ('fsync', 'full_page_writes') AND setting = 'on'";
    assert_eq!(number(&url, on).await, 2);
    execute(&url, "CREATE TABLE letter AS SELECT 42::bigint AS id").await;
    let socket = socket_of(&url);
    assert!(socket.exists());
    cluster.stop();
    assert!(!socket.exists());
    assert!(!data.join("data/postmaster.pid").exists());

    let cluster = Cluster::start(kept(&data)).unwrap();
    assert_eq!(
        number(&cluster.url("kept"), "SELECT id FROM letter").await,
        42
    );
    let log = fs::read_to_string(cluster.log_path()).unwrap();
    assert!(!log.contains("automatic recovery in progress"), "{log}");
    drop(cluster);

    let cluster = Cluster::start(ClusterOptions::default()).unwrap();
    let temporary = cluster.folder().to_path_buf();
    assert!(temporary.exists());
    cluster.stop();
    assert!(!temporary.exists());
}

#[test]
fn a_kept_folder_in_use_is_refused_until_it_is_free() {
    let folder = Folder::new();
    let data = folder.join("kept");
    let first = Cluster::start(kept(&data)).unwrap();
    let error = Cluster::start(kept(&data)).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the data in {} is in use by process {}; stop that first, or choose another folder",
            data.display(),
            std::process::id()
        )
    );
    first.stop();
    Cluster::start(kept(&data)).unwrap().stop();
}

#[test]
fn a_folder_with_anything_else_in_it_is_left_alone() {
    let folder = Folder::new();
    fs::write(folder.join("thesis.txt"), "years of work").unwrap();
    let error = Cluster::start(kept(&folder.0)).unwrap_err();
    assert!(matches!(error, ClusterError::NotOurs { .. }), "{error}");
    let left: Vec<_> = fs::read_dir(&folder.0)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(left, ["thesis.txt"]);
}

#[test]
fn a_folder_that_the_servers_account_cannot_enter_is_refused_and_not_left_behind() {
    if !process::geteuid().is_root() {
        return; // everyone else runs the server as himself
    }
    let home = Folder::new();
    let private = home.join("private");
    fs::DirBuilder::new().mode(0o700).create(&private).unwrap();
    let error = Cluster::start(kept(&private.join("kept"))).unwrap_err();
    assert!(matches!(error, ClusterError::Unreachable { .. }), "{error}");
    assert!(!private.join("kept").exists());
}

#[test]
fn data_of_another_version_is_named_and_not_touched() {
    let folder = Folder::new();
    let data = folder.join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("PG_VERSION"), "7\n").unwrap();
    let error = Cluster::start(kept(&folder.0)).unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("is of PostgreSQL 7, whose programs were not found"),
        "{message}"
    );
    assert_eq!(fs::read_to_string(data.join("PG_VERSION")).unwrap(), "7\n");
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let folder = Folder::new();
    let data = folder.join("kept");
    Cluster::start(kept(&data)).unwrap().stop();
    fs::write(data.join("data/postgresql.conf"), "no_such_setting = 1\n").unwrap();
    let error = Cluster::start(kept(&data)).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("unrecognized configuration parameter"),
        "{error}"
    );
}

#[test]
fn without_server_programs_the_message_says_what_was_looked_at_and_what_to_install() {
    let empty = Folder::new();
    let error = Installation::find(
        Some(empty.0.as_os_str()),
        std::env::var_os("PATH").as_deref(),
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "no PostgreSQL server programs (initdb, postgres) were found; looked in {}. Install them \
             (`apt-get install postgresql`, `dnf install postgresql-server` or `brew install \
             postgresql`), name their folder in PG_BIN, or give a server that is already running in \
             DATABASE_URL",
            empty.0.display()
        )
    );
}

#[test]
fn the_programs_on_the_path_come_first_and_links_to_them_are_followed() {
    let real = Installation::find(None, None).unwrap().remove(0);
    let links = Folder::new();
    for program in ["initdb", "postgres"] {
        std::os::unix::fs::symlink(real.folder().join(program), links.join(program)).unwrap();
    }
    let found = Installation::find(None, Some(links.0.as_os_str())).unwrap();
    assert_eq!(found.first(), Some(&real));
    assert_eq!(found.iter().filter(|one| **one == real).count(), 1);
    assert!(real.major_version().unwrap().parse::<u32>().unwrap() >= 13);
}

#[test]
fn the_script_that_installs_a_server_finds_the_same_one() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/ensure-postgres");
    let find = |chosen: Option<&Path>| {
        let mut command = Command::new(&script);
        command.arg("--find").env_remove("PG_BIN");
        if let Some(folder) = chosen {
            command.env("PG_BIN", folder);
        }
        command.output().unwrap()
    };
    let ours = Installation::find(None, std::env::var_os("PATH").as_deref()).unwrap();
    let theirs = find(None);
    assert_eq!(
        String::from_utf8(theirs.stdout).unwrap().trim_end(),
        ours[0].folder().to_str().unwrap()
    );
    let empty = Folder::new();
    assert_eq!(find(Some(&empty.0)).status.code(), Some(1));
}

// ---- When the program that holds a cluster is killed ----

/// Not a test of its own: what the two below run as another program. It starts a
/// cluster, says where, and waits for its end.
#[test]
fn a_program_that_holds_a_cluster() {
    let Some(options) = std::env::var_os("CLUSTER_TEST_HOLD") else {
        return;
    };
    let cluster = Cluster::start(ClusterOptions {
        data_dir: (options != "temporary").then(|| PathBuf::from(options)),
        durable: false,
    })
    .unwrap();
    println!(
        "cluster: {} {}",
        cluster.folder().display(),
        cluster.url("postgres")
    );
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    drop(cluster);
}

struct Holder {
    process: Child,
    /// Kept so that the program's pipe stays open as long as it lives.
    output: BufReader<ChildStdout>,
    folder: PathBuf,
    url: String,
}

fn holder(what: &std::ffi::OsStr) -> Holder {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_program_that_holds_a_cluster", "--nocapture"])
        .env("CLUSTER_TEST_HOLD", what)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    let mut output = BufReader::new(process.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("cluster: ") {
        line.clear();
        assert_ne!(
            output.read_line(&mut line).unwrap(),
            0,
            "it ended without a cluster"
        );
    }
    let (_, said) = line.split_once("cluster: ").unwrap();
    let (folder, url) = said.trim().split_once(' ').unwrap();
    Holder {
        process,
        output,
        folder: folder.into(),
        url: url.to_owned(),
    }
}

fn socket_of(url: &str) -> PathBuf {
    let (_, host) = url.split_once("?host=").unwrap();
    PathBuf::from(host.replace("%2F", "/")).join(".s.PGSQL.5432")
}

/// The server's own number, from the file that it keeps.
fn server_in(folder: &Path) -> Pid {
    let text = fs::read_to_string(folder.join("data/postmaster.pid")).unwrap();
    Pid::from_raw(text.lines().next().unwrap().parse().unwrap()).unwrap()
}

#[test]
fn kill_minus_nine_stops_the_server_and_removes_its_folder() {
    let Holder {
        mut process,
        folder,
        output: _output,
        ..
    } = holder("temporary".as_ref());
    let server = server_in(&folder);
    let lock = fs::File::open(folder.join("lock")).unwrap();
    assert!(lock.try_lock().is_err());
    process.kill().unwrap();
    process.wait().unwrap();
    // The watchdog holds it too, until the last of its work is done.
    lock.lock().unwrap();
    assert_eq!(process::test_kill_process(server), Err(Errno::SRCH));
    assert!(!folder.exists());
}

#[tokio::test]
async fn ctrl_c_in_the_terminal_reaches_neither_the_server_nor_its_watchdog() {
    let Holder {
        mut process,
        folder,
        url,
        output: _output,
    } = holder("temporary".as_ref());
    let server = server_in(&folder);
    let group = process::getpgid(Some(server)).unwrap();
    let program = Pid::from_raw(process.id().try_into().unwrap()).unwrap();
    assert_ne!(group, program); // which leads its own, as a shell's job does
    // The group's leader is the watchdog, which a plain kill does not end either.
    process::kill_process(group, process::Signal::TERM).unwrap();
    process::kill_process(group, process::Signal::INT).unwrap();
    assert_eq!(number(&url, "SELECT 3::bigint").await, 3);
    let lock = fs::File::open(folder.join("lock")).unwrap();
    drop(process.stdin.take());
    assert!(process.wait().unwrap().success());
    lock.lock().unwrap();
    assert_eq!(process::test_kill_process(server), Err(Errno::SRCH));
    assert!(!folder.exists());
}

#[tokio::test]
async fn after_kill_minus_nine_a_kept_folder_recovers_on_the_next_start() {
    let folder = Folder::new();
    let data = folder.join("kept");
    let Holder {
        mut process,
        url,
        output: _output,
        ..
    } = holder(data.as_os_str());
    execute(&url, "CREATE TABLE letter AS SELECT 9::bigint AS id").await;
    process.kill().unwrap();
    process.wait().unwrap();
    // No waiting in between: the start itself waits for the dead one's watchdog.
    let cluster = Cluster::start(kept(&data)).unwrap();
    assert_eq!(
        number(&cluster.url("postgres"), "SELECT id FROM letter").await,
        9
    );
    let log = fs::read_to_string(cluster.log_path()).unwrap();
    assert!(log.contains("automatic recovery in progress"), "{log}");
}
