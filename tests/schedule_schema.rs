//! The JSON Schema of the schedule file, and its manual, held to what the reader knows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use retentiond::schedule::{self, EndOf, Fate, Gate, Limit, Strategy, json_schema};
use serde_json::Value;

const COMMITTED: &str = "config/retention.schema.json";

fn read(path: &str) -> String {
    std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn the_committed_schema_is_current() {
    let path = format!("{}/{COMMITTED}", env!("CARGO_MANIFEST_DIR"));
    if std::fs::read_to_string(&path).unwrap_or_default() != json_schema::text() {
        if std::env::var_os("RENEW").is_some() {
            std::fs::write(&path, json_schema::text()).unwrap();
            return;
        }
        panic!(
            "{COMMITTED} is not what the reader knows; renew it with \
             RENEW=1 cargo test --test schedule_schema (or retentiond check --json-schema > {COMMITTED})"
        );
    }
}

#[test]
fn every_known_key_is_described() {
    let missing = json_schema::undescribed();
    assert!(
        missing.is_empty(),
        "the reader knows {}, and src/schedule/json_schema/properties.rs does not: add a line \
         with what it means and which values it takes",
        missing.join(", ")
    );
}

/// Every object in the schema that lists properties.
fn objects<'v>(value: &'v Value, found: &mut Vec<&'v Value>) {
    match value {
        Value::Object(map) => {
            if map.contains_key("additionalProperties") && map.contains_key("properties") {
                found.push(value);
            }
            map.values().for_each(|inner| objects(inner, found));
        }
        Value::Array(list) => list.iter().for_each(|inner| objects(inner, found)),
        _ => {}
    }
}

#[test]
fn each_table_has_its_known_keys_and_no_others() {
    let document = json_schema::document();
    let mut found = Vec::new();
    objects(&document, &mut found);
    let found: Vec<BTreeSet<&str>> = found
        .iter()
        .map(|object| {
            assert_eq!(object["additionalProperties"], false);
            let properties = object["properties"].as_object().unwrap();
            for (key, property) in properties {
                assert!(
                    property["description"]
                        .as_str()
                        .is_some_and(|d| d.len() > 10 && d.ends_with('.')),
                    "{key}: {property}"
                );
            }
            properties.keys().map(String::as_str).collect()
        })
        .collect();
    let mut count = 0;
    for (table, known, later) in json_schema::tables() {
        let known: BTreeSet<&str> = known.iter().copied().collect();
        assert!(found.contains(&known), "{table}: {known:?}\n{found:?}");
        assert!(!known.iter().any(|key| later.contains(key)), "{table}");
        count += 1;
    }
    assert_eq!(found.len(), count);
}

#[test]
fn the_words_are_those_of_the_types() {
    let document = json_schema::document();
    let class = &document["properties"]["class"]["items"]["properties"];
    let words = |value: &Value| -> Vec<String> {
        value["enum"]
            .as_array()
            .unwrap()
            .iter()
            .map(|word| word.as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(words(&class["limit"]), Limit::ALL.map(Limit::name));
    assert_eq!(words(&class["gate"]), Gate::ALL.map(Gate::name));
    assert_eq!(words(&class["from_end_of"]), EndOf::ALL.map(EndOf::name));
    assert_eq!(
        words(&class["disposal"]),
        ["flag", "anonymise", "delete", "retain"]
    );
    let strategies = class["anonymise"]["patternProperties"].as_object().unwrap();
    let mut all: Vec<String> = strategies.values().flat_map(words).collect();
    all.sort();
    let mut expected = Strategy::ALL.map(Strategy::name).to_vec();
    expected.sort_unstable();
    assert_eq!(all, expected);
    let dependant = &class["dependants"]["items"]["anyOf"][1]["properties"];
    assert_eq!(words(&dependant["action"]), Fate::ALL.map(Fate::name));
}

/// The file as an editor hands it to the schema: dates as texts.
fn as_json(text: &str) -> Value {
    fn convert(value: toml::Value) -> Value {
        match value {
            toml::Value::Datetime(date) => date.to_string().into(),
            toml::Value::Array(list) => list.into_iter().map(convert).collect(),
            toml::Value::Table(table) => table
                .into_iter()
                .map(|(key, value)| (key, convert(value)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            toml::Value::String(text) => text.into(),
            toml::Value::Integer(number) => number.into(),
            toml::Value::Float(number) => number.into(),
            toml::Value::Boolean(truth) => truth.into(),
        }
    }
    convert(toml::Value::Table(
        text.parse().unwrap_or_else(|e| panic!("{e}\n{text}")),
    ))
}

fn validator() -> jsonschema::Validator {
    jsonschema::draft7::new(&json_schema::document()).expect("the schema is one of draft 7")
}

#[test]
fn it_is_a_schema_of_draft_7() {
    assert!(jsonschema::draft7::meta::is_valid(&json_schema::document()));
}

const HEAD: &str =
    "[schedule]\norganisation = \"A\"\ntime_zone = \"Europe/London\"\nevery = \"0 0 2 * * *\"\n";

fn file(rest: &str) -> String {
    format!(
        "{HEAD}[[class]]\nid = \"letters\"\ntitle = \"Letters\"\ntable = \"letter\"\nauthority = \"Notice\"\n{rest}\n"
    )
}

const DELETES: &str = "trigger = \"closed_on\"\nperiod = \"8 years\"\ndisposal = \"delete\"\n";
const RETAINS: &str = "disposal = \"retain\"\nowner = \"Archivist\"\nreason = \"History\"\n";

const HELD: &str = "disposal = \"delete\"\ntrigger = 2024-03-31\nperiod = \"2 years\"\n";

/// A file with a class whose data somebody else holds.
fn elsewhere(rest: &str) -> String {
    format!(
        "{HEAD}[[class]]\nid = \"letters\"\ntitle = \"Letters\"\nprocessor = \"Example Ltd\"\nauthority = \"Notice\"\n{rest}\n"
    )
}

fn anonymises(columns: &str) -> String {
    format!(
        "{}anonymise = {columns}",
        DELETES.replace("delete", "anonymise")
    )
}

#[test]
fn what_the_reader_takes_it_takes() {
    let good = [
        DELETES.to_owned(),
        RETAINS.to_owned(),
        format!("{RETAINS}review_on = 2030-03-31"),
        DELETES.replace("delete", "flag"),
        DELETES.replace("\"closed_on\"", "2021-07-31"),
        DELETES.replace(
            "\"closed_on\"",
            "[\"closed_on\", { column = \"sent_on\", when = \"kind = 'a'\" }]",
        ),
        DELETES.replace("8 years", "1 year 6 months"),
        DELETES.replace("8 years", "P1Y6M2W3D"),
        format!("{DELETES}erasure = \"secure\""),
        format!("{DELETES}max_rows = 1000\nmax_share = 0.5\nmax_growth = 3.0"),
        format!("{DELETES}limit = \"maximum\"\nwhere = \"kind = 'a'\""),
        format!("{DELETES}gate = \"review\"\npreview = [\"subject\", \"sender\"]"),
        format!("{DELETES}gate = \"review\"\nlawful_basis = \"Art 6\"\nowner = \"Clerk\""),
        format!(
            "{DELETES}dependants = [\"note\", \"crm.note\", {{ table = \"page\", action = \"unlink\" }}]"
        ),
        format!("{DELETES}files = [{{ column = \"path\", store = \"media\" }}]"),
        format!(
            "{DELETES}from_end_of = \"financial year\"\ntolerance = \"30 days\"\nunless_active = [\"seen_at\"]"
        ),
        format!(
            "{DELETES}tolerance = \"0 days\"\nplausible_from = 1950-01-01\ntrigger_zone = \"UTC\""
        ),
        format!(
            "{DELETES}notice = \"30 days\"\n{}",
            "stages = [{ after = \"1 year\", disposal = \"anonymise\", anonymise = { name = \"null\" } }]"
        ),
        format!("{DELETES}or_when = \"withdrawn\"\nerasure_right = false"),
        format!("{DELETES}every = \"0 0 6 * * mon-fri\""),
        anonymises("{ name = \"redact\", email = \"null\", \"answers.phone\" = \"remove\" }"),
    ];
    let validator = validator();
    for rest in good {
        let text = file(&rest);
        schedule::parse(&text, "f").unwrap_or_else(|e| panic!("{}", e.render(false)));
        let errors: Vec<String> = validator
            .iter_errors(&as_json(&text))
            .map(|error| error.to_string())
            .collect();
        assert_eq!(errors, [""; 0], "{text}");
    }
    for rest in [
        HELD.to_owned(),
        format!(
            "{HELD}limit = \"maximum\"\ngate = \"none\"\nowner = \"Clerk\"\nreview_on = 2030-01-01"
        ),
        format!("{HELD}gate = \"instruction\"\ntolerance = \"30 days\""),
        "disposal = \"delete\"\ngate = \"instruction\"\n".to_owned(),
    ] {
        let text = elsewhere(&rest);
        schedule::parse(&text, "f").unwrap_or_else(|e| panic!("{}", e.render(false)));
        assert!(validator.is_valid(&as_json(&text)), "{text}");
    }
    let shipped = read("retention.toml");
    let errors: Vec<String> = validator
        .iter_errors(&as_json(&shipped))
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, [""; 0]);
}

#[test]
fn what_it_refuses_the_reader_refuses() {
    let bad = [
        String::new(),
        DELETES.replace("period", "peroid"),
        DELETES.replace("trigger = \"closed_on\"\n", ""),
        DELETES.replace("period = \"8 years\"\n", ""),
        DELETES.replace("8 years", "8 yeers"),
        DELETES.replace("8 years", "3 hours"),
        DELETES.replace("\"8 years\"", "8"),
        DELETES.replace("\"closed_on\"", "[]"),
        DELETES.replace("\"closed_on\"", "{ column = \"closed_on\" }"),
        DELETES.replace("\"delete\"", "\"anonymise\""),
        DELETES.replace("\"delete\"", "\"shred\""),
        format!("{DELETES}tolerance = \"1 month\""),
        format!("{DELETES}review_on = 2030-03-31"),
        format!("{DELETES}limit = \"max\""),
        format!("{DELETES}notice = \"1 month\""),
        format!(
            "{DELETES}{}",
            "stages = [{ after = \"1 year\", disposal = \"delete\" }]"
        ),
        format!("{DELETES}{}", "stages = [{ disposal = \"flag\" }]"),
        format!("{DELETES}gate = \"\""),
        format!("{DELETES}erasure = \"shredded\""),
        format!("{DELETES}max_rows = 0"),
        format!("{DELETES}max_rows = 1.5"),
        format!("{DELETES}max_share = 1.5"),
        format!("{DELETES}max_growth = 0"),
        format!("{DELETES}dependants = []"),
        format!("{DELETES}dependants = [{{ action = \"unlink\" }}]"),
        format!("{DELETES}dependants = [\"a.b.c\"]"),
        format!("{DELETES}files = [{{ column = \"path\" }}]"),
        format!("{DELETES}anonymise = {{ name = \"null\" }}"),
        format!("{DELETES}gate = \"review\"\npreview = []"),
        format!("{DELETES}gate = \"review\"\npreview = [\"a\", \"a\"]"),
        format!("{RETAINS}preview = [\"a\"]"),
        format!("{DELETES}from_end_of = \"year\""),
        format!("{DELETES}unless_active = []"),
        format!("{DELETES}or_when = true"),
        format!("{DELETES}every = \"@daily\""),
        format!("{DELETES}every = 6"),
        format!("{RETAINS}every = \"0 0 6 * * *\"\n"),
        format!("{DELETES}erasure_right = \"no\""),
        format!("{RETAINS}erasure_right = false\n"),
        format!("{RETAINS}or_when = \"withdrawn\"\n"),
        format!("{DELETES}owner = \"  \""),
        format!(
            "{}dependants = [\"note\"]",
            DELETES.replace("delete", "flag")
        ),
        RETAINS.replace("owner = \"Archivist\"\n", ""),
        format!("{RETAINS}period = \"8 years\"\n"),
        format!("{RETAINS}gate = \"review\"\n"),
        anonymises("{}"),
        anonymises("{ name = \"hash\" }"),
        anonymises("{ name = \"remove\" }"),
        anonymises("{ \"answers.phone\" = \"null\" }"),
    ];
    let validator = validator();
    for rest in bad {
        let text = file(&rest);
        assert!(!validator.is_valid(&as_json(&text)), "{text}");
        assert!(schedule::parse(&text, "f").is_err(), "{text}");
    }
    for rest in [
        String::new(),
        "disposal = \"delete\"\n".to_owned(),
        "disposal = \"delete\"\ngate = \"none\"\n".to_owned(),
        "disposal = \"delete\"\ngate = \"instruction\"\nlimit = \"maximum\"".to_owned(),
        HELD.replace("period = \"2 years\"\n", ""),
        HELD.replace("trigger = 2024-03-31\n", ""),
        HELD.replace("delete", "flag"),
        format!("{HELD}gate = \"review\""),
        format!("{HELD}table = \"letter\""),
        format!("{HELD}max_rows = 3"),
        format!("{HELD}notice = \"30 days\""),
    ] {
        let text = elsewhere(&rest);
        assert!(!validator.is_valid(&as_json(&text)), "{text}");
        assert!(schedule::parse(&text, "f").is_err(), "{text}");
    }
    for (from, to) in [
        ("\"letters\"", "\"Letters\""),
        ("\"letters\"", "\"list\""),
        ("title = \"Letters\"\n", ""),
        ("organisation = \"A\"\n", ""),
        (
            "organisation = \"A\"\n",
            "organisation = \"A\"\nname = \"B\"\n",
        ),
        ("0 0 2 * * *", "@daily"),
        ("[[class]]", "[class]"),
    ] {
        let text = file(DELETES).replacen(from, to, 1);
        assert!(!validator.is_valid(&as_json(&text)), "{text}");
        assert!(schedule::parse(&text, "f").is_err(), "{text}");
    }
}

#[test]
fn keys_of_a_later_version_are_refused_by_both() {
    let validator = validator();
    for (table, _, later) in json_schema::tables() {
        for key in later {
            let text = match table {
                "schedule" => {
                    file(DELETES).replacen("[[class]]", &format!("{key} = \"1 day\"\n[[class]]"), 1)
                }
                "class" => file(&format!("{DELETES}{key} = \"1 day\"")),
                "dependant" => file(&format!(
                    "{DELETES}dependants = [{{ table = \"note\", {key} = \"a = 1\" }}]"
                )),
                other => panic!("a case for the later keys of `{other}` is missing"),
            };
            assert!(!validator.is_valid(&as_json(&text)), "{text}");
            assert!(schedule::parse(&text, "f").is_err(), "{text}");
        }
    }
}

#[test]
fn the_shipped_schedule_names_its_schema() {
    assert!(read("retention.toml").starts_with(&format!("#:schema {COMMITTED}\n")));
}

/// The rows of the manual: the section's name in `[brackets]` or words, and the key.
fn manual() -> Vec<(String, String)> {
    let mut section = String::new();
    let mut rows = Vec::new();
    for line in read("docs/SCHEDULE.md").lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading.to_owned();
        } else if let Some(row) = line.strip_prefix("| `") {
            let key = row.split('`').next().unwrap();
            rows.push((section.clone(), key.to_owned()));
        }
    }
    rows
}

#[test]
fn the_manual_has_every_known_key_and_no_other() {
    let rows = manual();
    for (table, known, later) in json_schema::tables() {
        let heading = match table {
            "file" => continue,
            "schedule" => "`[schedule]`",
            "class" => "`[[class]]`",
            "trigger" => "An entry of `trigger`",
            "stage" => "An entry of `stages`",
            "dependant" => "An entry of `dependants`",
            "file column" => "An entry of `files`",
            other => panic!("the manual has no section for `{other}`: name its heading here"),
        };
        let written: BTreeSet<&str> = rows
            .iter()
            .filter(|(section, _)| section.starts_with(heading))
            .map(|(_, key)| key.as_str())
            .collect();
        let known: BTreeSet<&str> = known.iter().copied().collect();
        let missing: Vec<_> = known.difference(&written).collect();
        let too_many: Vec<_> = written.difference(&known).collect();
        assert!(
            missing.is_empty() && too_many.is_empty(),
            "docs/SCHEDULE.md, \"## {heading}\": add a row `| \\`KEY\\` | …` for {missing:?}; strike out {too_many:?} \
             (later keys: {later:?})"
        );
    }
}
