//! What is shipped for Prometheus and Grafana, held against promtool and against the
//! program's own metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use retentiond::daemon::METRICS;
use serde_json::Value;

const RULES: &str = "packaging/prometheus/retentiond.rules.yml";
const TESTS: &str = "packaging/prometheus/retentiond.rules.test.yml";
const DASHBOARD: &str = "packaging/grafana/retentiond.json";

/// Runs promtool, which `scripts/ensure-promtool` has got.
pub fn promtool(words: &[&str], input: &str) -> Output {
    let found = Command::new("scripts/ensure-promtool")
        .arg("--find")
        .output()
        .unwrap();
    assert!(found.status.success(), "run scripts/ensure-promtool first");
    let path = String::from_utf8(found.stdout).unwrap();
    let mut child = Command::new(path.trim_end())
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn approves(words: &[&str]) {
    let said = promtool(words, "");
    assert!(
        said.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&said.stdout),
        String::from_utf8_lossy(&said.stderr)
    );
}

/// The dashboard's queries, as Grafana sends them.
fn queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(DASHBOARD).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array())
        .flatten();
    targets
        .map(|target| target["expr"].as_str().unwrap())
        .map(|query| {
            query
                .replace("$__rate_interval", "5m")
                .replace("$instance", ".*")
                .replace("$job", "retentiond")
        })
        .collect()
}

/// What is said of a metric in a text: its name, and its labels in braces.
type Mention = (String, Vec<(String, String)>);

/// Every `retentiond_…` of a text. Values of labels that are compared by a pattern are
/// taken apart at its bars.
fn mentions(text: &str) -> Vec<Mention> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts = text.match_indices("retentiond_").map(|(at, _)| &text[at..]);
    starts
        .map(|rest| {
            let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            let (name, rest) = rest.split_at(end);
            let braces = rest
                .strip_prefix('{')
                .and_then(|rest| rest.split_once('}'))
                .map_or("", |(inside, _)| inside);
            let labels = braces
                .split(',')
                .filter_map(|label| {
                    let (label, value) = label.split_once('=')?;
                    let value = value.trim_start_matches(['~', '=']).trim_matches('"');
                    Some((
                        label.trim().trim_end_matches('!').to_owned(),
                        value.to_owned(),
                    ))
                })
                .flat_map(|(label, values)| {
                    let values = values.split('|').map(str::to_owned).collect::<Vec<_>>();
                    values.into_iter().map(move |value| (label.clone(), value))
                })
                .collect();
            (name.to_owned(), labels)
        })
        .collect()
}

/// By the name of a sample, the metric's labels.
fn known() -> BTreeMap<String, &'static [&'static str]> {
    METRICS
        .iter()
        .flat_map(|metric| {
            let names = match metric.kind() {
                "histogram" => ["_bucket", "_sum", "_count"]
                    .map(|end| format!("{}{end}", metric.name))
                    .to_vec(),
                _ => vec![metric.name.to_owned()],
            };
            names.into_iter().map(|name| (name, metric.labels))
        })
        .collect()
}

/// Whose values are the program's own words.
const WORDED: [&str; 6] = [
    "action", "limit", "outcome", "reason", "standing", "verdict",
];

/// What the rules and the dashboard compare the program's own words with, by metric.
pub fn words_compared() -> Vec<Mention> {
    let rules = fs::read_to_string(RULES).unwrap();
    let all = mentions(&rules)
        .into_iter()
        .chain(queries().into_iter().flat_map(|query| mentions(&query)));
    all.map(|(name, mut labels)| {
        labels.retain(|(label, _)| WORDED.contains(&label.as_str()));
        (name, labels)
    })
    .filter(|(_, labels)| !labels.is_empty())
    .collect()
}

fn hold_to_the_table(what: &str, mentions: Vec<Mention>) {
    let known = known();
    assert!(
        mentions.len() > 20,
        "{what}: only {} were found",
        mentions.len()
    );
    for (name, labels) in mentions {
        let Some(own) = known.get(&name) else {
            panic!("{what}: there is no metric {name}");
        };
        for (label, _) in labels {
            assert!(
                own.contains(&label.as_str()) || ["job", "instance"].contains(&label.as_str()),
                "{what}: {name} has no label {label}"
            );
        }
    }
}

#[test]
fn promtool_accepts_the_rules() {
    approves(&["check", "rules", RULES]);
}

#[test]
fn each_alert_fires_when_it_should_and_not_otherwise() {
    approves(&["test", "rules", TESTS]);
}

#[test]
fn each_alert_has_a_case_in_which_it_fires() {
    let (rules, tests) = (
        fs::read_to_string(RULES).unwrap(),
        fs::read_to_string(TESTS).unwrap(),
    );
    let alerts: BTreeSet<&str> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    // Either by its name with what is expected, or among those that fire at once.
    let mut fire: BTreeSet<&str> = tests
        .split("alertname=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    let cases: Vec<&str> = tests.split("- eval_time:").collect();
    fire.extend(
        cases
            .iter()
            .filter(|case| case.contains("exp_alerts:"))
            .filter_map(|case| case.split("alertname: ").nth(1)?.lines().next()),
    );
    assert_eq!(alerts.len(), 17);
    assert_eq!(fire, alerts);
}

#[test]
fn the_rules_ask_for_metrics_and_labels_that_there_are() {
    // The prose mentions one by its name.
    hold_to_the_table("rules", mentions(&fs::read_to_string(RULES).unwrap()));
}

#[test]
fn the_dashboard_asks_for_metrics_and_labels_that_there_are() {
    hold_to_the_table(
        "dashboard",
        queries().iter().flat_map(|query| mentions(query)).collect(),
    );
}

#[test]
fn every_metric_is_on_the_dashboard() {
    let asked: BTreeSet<String> = queries()
        .iter()
        .flat_map(|query| mentions(query))
        .map(|(name, _)| name)
        .collect();
    for metric in &METRICS {
        let shown = asked.iter().any(|name| {
            name == metric.name
                || metric.kind() == "histogram" && name.starts_with(&format!("{}_", metric.name))
        });
        assert!(shown, "{} is not on the dashboard", metric.name);
    }
}

#[test]
fn promtool_parses_every_query_of_the_dashboard() {
    let queries = queries();
    assert!(queries.len() > 30);
    let rules: Vec<Value> = queries
        .iter()
        .enumerate()
        .map(|(nth, query)| serde_json::json!({ "record": format!("query:{nth}"), "expr": query }))
        .collect();
    // JSON is YAML.
    let file = serde_json::json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queries.yml");
    fs::write(&path, file.to_string()).unwrap();
    approves(&["check", "rules", path.to_str().unwrap()]);

    // That a query which is none would be found.
    let broken = file.to_string().replacen("max(", "max((", 1);
    fs::write(&path, broken).unwrap();
    assert!(
        !promtool(&["check", "rules", path.to_str().unwrap()], "")
            .status
            .success()
    );
}

#[test]
fn the_dashboards_panels_are_apart_and_have_what_grafana_wants() {
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(DASHBOARD).unwrap()).unwrap();
    assert_eq!(dashboard["uid"], "retentiond");
    assert_eq!(dashboard["id"], Value::Null, "Grafana gives the number");
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|p| p["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    let mut taken = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24, "{title}");
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(taken.insert((x, y)), "{title} lies over another panel");
            }
        }
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
            let targets = panel["targets"].as_array().unwrap();
            assert!(!targets.is_empty(), "{title}");
        }
    }
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let names: Vec<&str> = variables
        .iter()
        .map(|v| v["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["datasource", "job", "instance"]);
}
