//! The layers of settings: which wins, and how a mistake in one is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use retentiond::settings::{KEYS, LogFormat, SYSTEM_STATE, Settings, SettingsError, Throttle};
use secrecy::ExposeSecret;
use tempfile::TempDir;

/// The variables of a test, and nobody else's.
fn variables(pairs: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    let pairs: Vec<(String, String)> = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    pairs.into_iter()
}

fn from_environment(pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    Settings::from_files(&[], None, variables(pairs), false)
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

fn from_text(text: &str) -> Result<Settings, SettingsError> {
    let folder = Folder::new();
    let path = folder.file("settings.toml", text);
    Settings::from_files(&[], Some(&path), variables(&[]), false)
}

/// What is said of a text, without the folder that the test made for it.
fn said_of(text: &str) -> String {
    let message = from_text(text).unwrap_err().to_string();
    message
        .lines()
        .map(|line| {
            line.split_once("settings.toml:")
                .map_or(line, |(_, rest)| rest)
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn without_any_file_or_variable_everything_has_a_value() {
    let missing = PathBuf::from("nowhere/settings.toml");
    let settings = Settings::from_files(&[missing], None, variables(&[]), false).unwrap();
    assert!(settings.database().url().is_none());
    assert_eq!(
        settings.database().connect_timeout(),
        Duration::from_secs(10)
    );
    assert_eq!(settings.throttle(), Throttle::default());
    assert!((settings.throttle().duty_cycle() - 0.5).abs() < f64::EPSILON);
    assert_eq!(settings.throttle().batch(), Duration::from_millis(150));
    assert_eq!(settings.throttle().lock_timeout(), Duration::from_secs(2));
    assert_eq!(
        settings.throttle().statement_timeout(),
        Duration::from_secs(60)
    );
    assert!(settings.stores().is_empty());
    assert_eq!(settings.log().format(), LogFormat::Text);
    assert_eq!(settings.log().level(), tracing::Level::INFO);
}

#[test]
fn a_later_layer_wins_and_an_earlier_one_keeps_what_it_does_not_say() {
    let folder = Folder::new();
    let usual = [
        folder.file(
            "one.toml",
            "[throttle]\nduty_cycle = 0.1\nbatch_milliseconds = 100\n",
        ),
        folder.file(
            "two.toml",
            "[throttle]\nduty_cycle = 0.2\n[log]\nlevel = \"warn\"\n",
        ),
    ];
    let named = folder.file(
        "three.toml",
        "[throttle]\nduty_cycle = 0.3\nlock_timeout_milliseconds = 1_500\n",
    );
    let environment = [
        ("RETENTIOND__THROTTLE__DUTY_CYCLE", "0.4"),
        ("DUTY_CYCLE", "0.9"),
    ];
    let load = |usual: &[PathBuf], named: Option<&Path>, pairs| {
        Settings::from_files(usual, named, variables(pairs), false).unwrap()
    };
    let duty = |settings: &Settings| settings.throttle().duty_cycle().to_string();
    assert_eq!(duty(&load(&usual[..1], None, &[])), "0.1");
    assert_eq!(duty(&load(&usual, None, &[])), "0.2");
    assert_eq!(duty(&load(&usual, Some(&named), &[])), "0.3");
    let all = load(&usual, Some(&named), &environment);
    assert_eq!(duty(&all), "0.4");
    assert_eq!(all.throttle().batch(), Duration::from_millis(100));
    assert_eq!(all.throttle().lock_timeout(), Duration::from_millis(1500));
    assert_eq!(all.log().level(), tracing::Level::WARN);
    assert_eq!(
        duty(&load(
            &usual,
            None,
            &[("RETENTIOND__THROTTLE__DUTY_CYCLE", "")]
        )),
        "0.2"
    );
}

#[test]
fn every_kind_of_value_can_come_from_the_environment() {
    let settings = from_environment(&[
        ("RETENTIOND__DATABASE__URL", "postgres://a@b/c"),
        ("RETENTIOND__DATABASE__CONNECT_TIMEOUT_SECONDS", "3"),
        ("RETENTIOND__STORES__MEDIA__PATH", "/srv/media"),
        ("RETENTIOND__STORES__CONSENT_FORMS__PATH", "/srv/forms"),
        ("RETENTIOND__LOG__FORMAT", "json"),
        ("RETENTIOND__STATE__DIRECTORY", "/srv/state"),
    ])
    .unwrap();
    assert_eq!(
        settings.database().url().unwrap().expose_secret(),
        "postgres://a@b/c"
    );
    assert_eq!(
        settings.database().connect_timeout(),
        Duration::from_secs(3)
    );
    let stores: Vec<_> = settings
        .stores()
        .iter()
        .map(|(n, p)| (n.as_str(), p.as_path()))
        .collect();
    assert_eq!(
        stores,
        [
            ("consent_forms", Path::new("/srv/forms")),
            ("media", Path::new("/srv/media"))
        ]
    );
    assert_eq!(settings.log().format(), LogFormat::Json);
    assert_eq!(settings.state_directory().unwrap(), Path::new("/srv/state"));
}

#[test]
fn a_webhook_is_https_or_on_this_machine_and_has_a_secret() {
    let of = |url: &str| {
        from_text(&format!(
            "[ledger.webhooks.archive]\nurl = \"{url}\"\nsecret_file = \"/s\"\n"
        ))
    };
    for url in [
        "https://archive.example.org/x?token=hunter2",
        "http://localhost:8080",
        "http://127.0.0.2/x",
        "http://[::1]:9/",
    ] {
        let settings = of(url).unwrap();
        let webhook = &settings.ledger().webhooks()["archive"];
        assert_eq!(webhook.url().expose_secret(), url);
        assert_eq!(webhook.secret_file(), Path::new("/s"));
        assert_eq!(webhook.timeout(), Duration::from_secs(5));
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
    for url in [
        "http://archive.example.org/hunter2",
        "http://localhost.example.org/hunter2",
        "http://128.0.0.1/hunter2",
        "ftp://localhost/hunter2",
        "hunter2",
    ] {
        let error = of(url).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(
            shown.contains("`ledger.webhooks.archive.url` must be a URL"),
            "{shown}"
        );
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    assert_eq!(
        said_of(
            "[ledger.webhooks.Archive]\nurl = \"https://a\"\n[ledger.webhooks.a]\n\
             url = \"https://a\"\ntimeout_milliseconds = 49\n[ledger.webhooks.b]\n\
             secret_file = \"/s\"\nsecret = \"x\"\n"
        ),
        "1: `ledger.webhooks.Archive`: a webhook's name is lower-case letters, digits, `-` and `_`\n\
         5: `ledger.webhooks.a.timeout_milliseconds` must be a whole number from 50 to 15000\n\
         8: there is no setting `ledger.webhooks.b.secret`; did you mean `ledger.webhooks.b.secret_file`?\n\
         4: `ledger.webhooks.a` lacks a `secret_file` (or the systemd credential `webhook.NAME`)\n\
         7: `ledger.webhooks.b` lacks a `url`"
    );
}

#[test]
fn a_webhook_from_the_environment_takes_its_secret_from_the_service_manager() {
    let folder = Folder::new();
    let secret = folder.file("webhook.archive", "whsec_");
    let settings = from_environment(&[
        (
            "RETENTIOND__LEDGER__WEBHOOKS__ARCHIVE__URL",
            "https://a.example/",
        ),
        (
            "RETENTIOND__LEDGER__WEBHOOKS__ARCHIVE__TIMEOUT_MILLISECONDS",
            "70",
        ),
        (
            "CREDENTIALS_DIRECTORY",
            secret.parent().unwrap().to_str().unwrap(),
        ),
    ])
    .unwrap();
    let webhook = &settings.ledger().webhooks()["archive"];
    assert_eq!(webhook.secret_file(), secret);
    assert_eq!(webhook.timeout(), Duration::from_millis(70));
}

#[test]
fn a_store_may_have_a_hyphen_and_number_types_may_meet() {
    let settings =
        from_text("[stores.my-media]\npath = \"/m\"\n[throttle]\nduty_cycle = 1\n").unwrap();
    assert_eq!(settings.stores().get("my-media").unwrap(), Path::new("/m"));
    assert!((settings.throttle().duty_cycle() - 1.0).abs() < f64::EPSILON);
}

#[test]
fn the_state_is_in_the_systems_folder_for_root_and_else_in_the_homes() {
    let directory = |pairs: &[(&str, &str)], as_root| {
        Settings::from_files(&[], None, variables(pairs), as_root)
            .unwrap()
            .state_directory()
            .map(Path::to_path_buf)
            .map_err(|error| error.to_string())
    };
    let home = ("HOME", "/home/ann");
    assert_eq!(directory(&[home], true).unwrap(), Path::new(SYSTEM_STATE));
    assert_eq!(
        directory(&[home], false).unwrap(),
        Path::new("/home/ann/.local/state/retentiond")
    );
    assert_eq!(
        directory(&[home, ("XDG_STATE_HOME", "/state")], false).unwrap(),
        Path::new("/state/retentiond")
    );
    // The XDG specification: a relative path is to be ignored.
    assert_eq!(
        directory(&[home, ("XDG_STATE_HOME", "state")], false).unwrap(),
        Path::new("/home/ann/.local/state/retentiond")
    );
    assert_eq!(
        directory(&[], false).unwrap_err(),
        "no folder for this program's state: neither HOME nor XDG_STATE_HOME is set to an \
         absolute path; set state.directory (or RETENTIOND__STATE__DIRECTORY)"
    );
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once_each_with_its_line() {
    let text = "[throttle]\nduty_cycl = 0.5\nbatch_milliseconds = \"150\"\nlock_timeout_milliseconds = 0\n\
                [retention]\nperiod = \"8 years\"\n[log]\nlevel = \"loud\"\n[stores.Media]\npath = \"/m\"\n\
                [stores.forms]\npath = \"forms\"\n";
    assert_eq!(
        said_of(text),
        "2: there is no setting `throttle.duty_cycl`; did you mean `throttle.duty_cycle`?\n\
         3: `throttle.batch_milliseconds` must be a whole number from 10 to 10000\n\
         4: `throttle.lock_timeout_milliseconds` must be a whole number from 1 to 60000\n\
         5: there is no setting `retention`\n\
         8: `log.level` must be one of error, warn, info, debug, trace\n\
         9: `stores.Media`: a store's name is lower-case letters, digits, `-` and `_`\n\
         12: `stores.forms.path` must be an absolute path"
    );
}

#[test]
fn a_mistake_in_the_environment_names_the_variable() {
    let error = from_environment(&[
        ("RETENTIOND__THROTTLE__DUTY_CYCLE", "half"),
        ("RETENTIOND__THROTLE__DUTY_CYCLE", "0.5"),
        ("RETENTIOND__DATABASE", "postgres://ann:hunter2@db/cases"),
    ])
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "RETENTIOND__DATABASE: `database` is a section with keys of its own, not a value\n\
         RETENTIOND__THROTLE__DUTY_CYCLE: there is no setting `throtle.duty_cycle`; \
         did you mean `throttle.duty_cycle`?\n\
         RETENTIOND__THROTTLE__DUTY_CYCLE: `throttle.duty_cycle` must be a number from 0.01 to 1"
    );
}

#[test]
fn numbers_outside_their_range_are_refused_at_both_ends() {
    for (key, low, high) in [
        ("database.connect_timeout_seconds", "0", "601"),
        ("throttle.duty_cycle", "0.009", "1.01"),
        ("throttle.batch_milliseconds", "9", "10001"),
        ("throttle.lock_timeout_milliseconds", "0", "60001"),
        ("throttle.statement_timeout_milliseconds", "99", "3600001"),
    ] {
        for value in [low, high, "nan", "-1"] {
            let message = said_of(&format!("{key} = {value}\n"));
            assert!(
                message.starts_with(&format!("1: `{key}` must be ")),
                "{message}"
            );
        }
    }
}

#[test]
fn a_file_that_is_named_must_be_there_and_a_usual_one_need_not() {
    let missing = PathBuf::from("nowhere/settings.toml");
    let error = Settings::from_files(&[], Some(&missing), variables(&[]), false).unwrap_err();
    assert_eq!(
        error.to_string(),
        "could not read the settings in nowhere/settings.toml"
    );
}

#[test]
fn a_usual_file_that_is_there_and_cannot_be_read_is_not_passed_over() {
    let folder = Folder::new();
    let error = Settings::from_files(
        &[folder.0.path().to_path_buf()],
        None,
        variables(&[]),
        false,
    )
    .unwrap_err();
    assert!(matches!(error, SettingsError::Unreadable { .. }), "{error}");
}

#[test]
fn a_password_is_in_no_error_and_in_no_debug_output() {
    let secret = "hunter2";
    let url = format!("postgres://ann:{secret}@db/cases");
    for text in [
        format!("database = \"{url}\"\n"),
        format!("[database]\nurl = {url}\n"),
        format!("[database]\nurl = [\"{url}\"]\n"),
        format!("[database]\nurl = \"{url}\nconnect_timeout_seconds = 1\n"),
        format!("[database]\nconnect_timeout_seconds = \"{url}\"\n"),
        format!("[state]\ndirectory = \"{url}\"\n"),
        format!("[database]\nurl = \"{url}\"\nurl = \"{url}\"\n"),
    ] {
        let error = from_text(&text).unwrap_err();
        let shown = format!("{error} {error:?} {error:#?}");
        assert!(!shown.contains(secret), "{text}: {shown}");
    }
    let settings = from_text(&format!("[database]\nurl = \"{url}\"\n")).unwrap();
    assert_eq!(settings.database().url().unwrap().expose_secret(), url);
    assert!(!format!("{settings:?} {settings:#?}").contains(secret));
}

#[test]
fn a_file_that_is_not_toml_names_the_line() {
    let message = said_of("[log]\nlevel = \"info\"\nformat = text\n");
    assert!(message.starts_with("3: not TOML: "), "{message}");
}

/// The shipped file, each key as if the `# ` before it had been taken away.
fn shipped_with_every_key_on() -> String {
    let text = fs::read_to_string("config/default.toml").unwrap();
    text.lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if is_assignment(rest) => rest,
            _ => line,
        })
        .collect::<Vec<_>>()
        .join("\n")
}

fn is_assignment(line: &str) -> bool {
    line.split_once(" = ").is_some_and(|(name, _)| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
    })
}

#[test]
fn the_shipped_file_changes_nothing_as_it_is() {
    let text = fs::read_to_string("config/default.toml").unwrap();
    let settings = from_text(&text).unwrap();
    assert!(settings.database().url().is_none());
    assert!(settings.stores().is_empty());
    assert_eq!(settings.throttle(), Throttle::default());
}

#[test]
fn the_shipped_file_shows_every_key_with_its_built_in_value() {
    let shipped = shipped_with_every_key_on();
    let settings = from_text(&shipped).unwrap();
    let built_in = Settings::from_files(&[], None, variables(&[]), true).unwrap();
    assert_eq!(settings.throttle(), built_in.throttle());
    assert_eq!(settings.log(), built_in.log());
    assert_eq!(
        settings.database().connect_timeout(),
        built_in.database().connect_timeout()
    );
    assert_eq!(
        settings.state_directory().unwrap(),
        built_in.state_directory().unwrap()
    );
    assert_eq!(settings.listen().refresh(), built_in.listen().refresh());
    // What has no built-in value stands there as an example.
    assert_eq!(
        settings.listen().address(),
        Some("127.0.0.1:9811".parse().unwrap())
    );
    assert!(settings.database().url().is_some());
    assert_eq!(
        settings.stores().get("media").unwrap(),
        Path::new("/srv/media")
    );

    let table: toml::Table = toml::from_str(&shipped).unwrap();
    for key in KEYS {
        let path = key.path();
        let (section, name) = path.split_once('.').unwrap();
        assert!(
            table[section].get(name).is_some(),
            "{path} is not in config/default.toml"
        );
    }
}

#[test]
fn nothing_is_listened_on_unless_an_address_is_set() {
    let built_in = from_environment(&[]).unwrap().listen();
    assert_eq!(built_in.address(), None);
    assert_eq!(built_in.refresh(), Duration::from_secs(60));
    let set = from_environment(&[("RETENTIOND__LISTEN__ADDRESS", "[::1]:80")]).unwrap();
    assert_eq!(set.listen().address(), Some("[::1]:80".parse().unwrap()));
}

#[test]
fn an_address_to_listen_on_is_numbers() {
    for wrong in [
        "localhost:9811",
        "127.0.0.1",
        ":9811",
        "9811",
        "127.0.0.1:99999",
    ] {
        let said = said_of(&format!("[listen]\naddress = \"{wrong}\"\n"));
        assert_eq!(
            said,
            "2: `listen.address` must be an IP address and a port such as 127.0.0.1:9811 or [::1]:9811"
        );
    }
    assert_eq!(
        said_of("[listen]\nrefresh_seconds = 14\n"),
        "2: `listen.refresh_seconds` must be a whole number from 15 to 3600"
    );
}

#[test]
fn full_speed_takes_the_rests_and_nothing_else() {
    let throttle = Throttle::default().full_speed();
    assert!((throttle.duty_cycle() - 1.0).abs() < f64::EPSILON);
    assert_eq!(throttle.batch(), Throttle::default().batch());
    assert_eq!(throttle.lock_timeout(), Throttle::default().lock_timeout());
}
