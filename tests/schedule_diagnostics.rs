//! What a person sees for each fault of the file: one snapshot a code.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use proptest::prelude::*;
use retentiond::schedule::{self, Code, Diagnostics, Severity};

const HEAD: &str = r#"[schedule]
organisation = "Example Council"
time_zone = "Europe/London"
every = "0 0 2 * * *"
"#;

const CLASS: &str = r#"
[[class]]
id = "letters"
title = "Letters"
table = "letter"
trigger = "closed_on"
period = "8 years"
disposal = "delete"
authority = "Privacy notice"
"#;

/// The sound file with one text in it replaced by another.
fn with(old: &str, new: &str) -> String {
    let file = format!("{HEAD}{CLASS}");
    assert_eq!(file.matches(old).count(), 1, "`{old}`");
    file.replace(old, new)
}

/// The sound file with lines added to its class.
fn and(lines: &str) -> String {
    format!("{HEAD}{CLASS}{lines}\n")
}

fn retaining(lines: &str) -> String {
    let class = "\n[[class]]\nid = \"staff\"\ntitle = \"Staff\"\ntable = \"staff\"\ndisposal = \"retain\"\nauthority = \"Staff notice\"";
    format!("{HEAD}{class}\n{lines}\n")
}

/// The sound file with a class whose data somebody else holds.
fn elsewhere(lines: &str) -> String {
    let class = "\n[[class]]\nid = \"applications\"\ntitle = \"Applications\"\nprocessor = \"Example Jobs Ltd\"\nauthority = \"Contract 7\"";
    format!("{HEAD}{class}\n{lines}\n")
}

fn anonymising(columns: &str) -> String {
    and(&format!("anonymise = {columns}")).replace("\"delete\"", "\"anonymise\"")
}

fn faults(text: &str) -> Diagnostics {
    match schedule::parse(text, "retention.toml") {
        Ok(schedule) => schedule.diagnostics(schedule.warnings().to_vec()),
        Err(diagnostics) => diagnostics,
    }
}

/// Files for each code: faults that a person could make.
fn cases() -> Vec<(Code, Vec<String>)> {
    vec![
        (
            Code::Syntax,
            vec![
                with("\"Letters\"", "\"Letters"),
                with("[[class]]", "[[class]"),
                and("id = \"again\""),
            ],
        ),
        (
            Code::UnknownKey,
            vec![
                with("period =", "peroid ="),
                and("colour = \"red\""),
                format!("{HEAD}zone = \"UTC\"\n{CLASS}"),
                format!("{HEAD}{CLASS}\n[clas]\n"),
                and("dependants = [{ tabel = \"note\" }]"),
            ],
        ),
        (
            Code::MissingKey,
            vec![
                with("period = \"8 years\"\n", ""),
                with("id = \"letters\"\n", ""),
                with("every = \"0 0 2 * * *\"\n", ""),
                CLASS.to_owned(),
                retaining(""),
                with("\"delete\"", "\"anonymise\""),
                elsewhere("disposal = \"delete\""),
                elsewhere("disposal = \"delete\"\nperiod = \"2 years\""),
            ],
        ),
        (
            Code::WrongType,
            vec![
                with("\"8 years\"", "8"),
                with("\"Letters\"", "[\"Letters\"]"),
                with("[[class]]", "[class]"),
                with(
                    "\"closed_on\"",
                    "{ column = \"closed_on\", when = \"a = 1\" }",
                ),
                with("\"closed_on\"", "[2021-07-31]"),
                and("dependants = \"note\""),
                and("dependants = [1]"),
                elsewhere("disposal = \"delete\"\ntrigger = \"closed_on\"\nperiod = \"2 years\""),
                anonymising("{ answers.phone = \"remove\" }"),
                format!("schedule = 1\n{CLASS}"),
            ],
        ),
        (
            Code::BlankText,
            vec![with("\"Letters\"", "\"  \""), and("owner = \"\"")],
        ),
        (
            Code::UnknownWord,
            vec![
                with("\"delete\"", "\"anonymize\""),
                with("\"delete\"", "\"shred\""),
                and("limit = \"max\""),
                and("gate = \"reveiw\""),
                anonymising("{ name = \"hash\" }"),
                and("dependants = [{ table = \"note\", action = \"keep\" }]"),
            ],
        ),
        (
            Code::BadPeriod,
            vec![with("8 years", "8 yeers"), with("8 years", "3 hours")],
        ),
        (
            Code::BadTimeZone,
            vec![
                with("Europe/London", "Europe/Lodnon"),
                with("Europe/London", "Mars"),
            ],
        ),
        (
            Code::ZoneGoesBack,
            vec![with("Europe/London", "America/St_Johns")],
        ),
        (
            Code::BadTimetable,
            vec![
                with("0 0 2 * * *", "@daily"),
                with("0 0 2 * * *", "0 0 25 * * *"),
            ],
        ),
        (
            Code::BadClassId,
            vec![
                with("\"letters\"", "\"Letters!\""),
                with("\"letters\"", "\"list\""),
            ],
        ),
        (
            Code::DuplicateClassId,
            vec![format!("{HEAD}{CLASS}{CLASS}")],
        ),
        (
            Code::EmptyClass,
            vec![format!("{HEAD}{CLASS}\n[[class]]\n# id = \"later\"\n")],
        ),
        (
            Code::NoClasses,
            vec![HEAD.to_owned(), format!("class = []\n{HEAD}")],
        ),
        (Code::NotYetSupported, vec![and("resweep = \"7 days\"")]),
        (
            Code::BadLimit,
            vec![
                and("max_rows = 0"),
                and("max_share = 1.01"),
                and("max_share = 0"),
                and("max_growth = -2"),
                and("max_growth = inf"),
            ],
        ),
        (
            Code::Contradiction,
            vec![
                elsewhere(&format!("{HELD}\ntable = \"applicant\"")),
                elsewhere(&format!("{HELD}\nwhere = \"a = 1\"")),
                elsewhere(&format!("{HELD}\ngate = \"review\"")),
                elsewhere(&HELD.replace("delete", "retain")),
                retaining("owner = \"Council\"\nreason = \"History\"\nperiod = \"8 years\""),
                and("anonymise = { name = \"null\" }"),
                and("dependants = [\"note\"]").replace("\"delete\"", "\"flag\""),
                and("files = [{ column = \"path\", store = \"media\", table = \"note\" }]"),
                and("dependants = [{ table = \"note\", where = \"kind = 'a'\" }]"),
                and(
                    "dependants = [{ table = \"note\", action = \"unlink\" }]\nfiles = [{ column = \"path\", store = \"media\", table = \"note\" }]",
                ),
            ],
        ),
        (
            Code::BadName,
            vec![
                with("\"letter\"", "\"a.b.c\""),
                with("\"closed_on\"", &format!("\"{}\"", "x".repeat(64))),
                anonymising("{ \"answers.\" = \"remove\" }"),
            ],
        ),
        (
            Code::EmptyList,
            vec![
                and("dependants = []"),
                anonymising("{}"),
                with("\"closed_on\"", "[]"),
            ],
        ),
        (
            Code::Repeated,
            vec![
                and("dependants = [\"note\", \"public.note\"]"),
                anonymising("{ \"answers\" = \"null\", \"answers.phone\" = \"remove\" }"),
                with("\"closed_on\"", "[\"closed_on\", \"closed_on\"]"),
            ],
        ),
        (
            Code::OwnDependant,
            vec![format!(
                "{}dependants = [\"public.letter\"]\n",
                anonymising("{ name = \"redact\" }")
            )],
        ),
        (
            Code::AnonymisesItsRule,
            vec![
                anonymising("{ name = \"redact\", closed_on = \"year\" }"),
                format!(
                    "{}where = \"kind = 'x'\"\n",
                    anonymising("{ kind = \"null\" }")
                ),
                anonymising("{ kind = \"null\" }").replace(
                    "\"closed_on\"",
                    "[{ column = \"closed_on\", when = \"kind = 'x'\" }]",
                ),
            ],
        ),
        (
            Code::PathAndStrategy,
            vec![
                anonymising("{ answers = \"remove\" }"),
                anonymising("{ \"answers.phone\" = \"null\" }"),
            ],
        ),
        (
            Code::BadDate,
            vec![
                with("\"closed_on\"", "2021-07-31T00:00:00Z"),
                with("\"closed_on\"", "07:32:00"),
                with("\"closed_on\"", "\"2021-07-31\""),
            ],
        ),
        (
            Code::BadRelation,
            vec![
                and("dependants = [{ table = \"note\", on = \"letter_id\" }]"),
                and("dependants = [{ table = \"note\", on = \"letter_id = id OR a = b\" }]"),
                and("dependants = [{ table = \"note\", on = \"letter_id = 'x'\" }]"),
                and("dependants = [{ table = \"note\", on = \"page_id = page.id\" }]"),
                and(
                    "dependants = [\"page\", { table = \"note\", on = \"page_id = page.id AND b = id\" }]",
                ),
            ],
        ),
        (
            Code::MaximumBehindReview,
            vec![and("limit = \"maximum\"\ngate = \"review\"")],
        ),
        (
            Code::PseudonymIsPersonal,
            vec![anonymising("{ name = \"pseudonym\" }")],
        ),
        (
            Code::TimetableTooSparse,
            vec![
                and("limit = \"maximum\"").replace("2 * * *", "2 * * sun"),
                and("limit = \"maximum\"").replace("0 0 2 * * *", "30 2 * * 1-6"),
                and("limit = \"maximum\"\nevery = \"0 0 3 * * mon-fri\""),
            ],
        ),
        (
            Code::Placeholder,
            vec![
                with(
                    "\"Letters\"",
                    "\"PLACEHOLDER: what the records in letter are\"",
                )
                .replace(
                    "period = \"8 years\"",
                    "period = \"8 years\" # PLACEHOLDER: the usual limitation period",
                ),
                with(
                    "\"Example Council\"",
                    "\"PLACEHOLDER: the name of your organisation\"",
                ),
            ],
        ),
        (
            Code::ConditionSyntax,
            vec![
                and("where = \"kind = \""),
                and("where = \"kind = 'a' outcome = 'b'\""),
                and("where = \"1\""),
            ],
        ),
        (
            Code::ConditionConstruct,
            vec![
                and("where = \"kind = 'a'; DROP TABLE letter\""),
                and("where = '''\nkind = 'a'\nAND (a, b) = (1, 2)\n'''"),
                and("where = \"CASE WHEN a THEN b END\""),
            ],
        ),
        (
            Code::ConditionFunction,
            vec![and("where = \"kind = 'a' AND is_old(kind)\"")],
        ),
        (
            Code::ConditionOtherRow,
            vec![
                and("where = \"id IN (SELECT letter_id FROM hold)\""),
                and("where = \"letter.kind = 'a'\""),
            ],
        ),
        (
            Code::ConditionClock,
            vec![
                and("where = \"closed_on < now()\""),
                with(
                    "\"closed_on\"",
                    "[{ column = \"closed_on\", when = \"sent_on < 'today'\" }]",
                ),
            ],
        ),
        (
            Code::ConditionLiteral,
            vec![
                and("where = \"kind = $$a$$\""),
                and("where = \"sent_on < DATE '01/02/2026'\""),
            ],
        ),
        (
            Code::ConditionCast,
            vec![and("where = \"kind::regclass = 'a'\"")],
        ),
        (
            Code::ConditionTooLarge,
            vec![and(&format!(
                "where = \"{}a = 1{}\"",
                "(".repeat(30),
                ")".repeat(30)
            ))],
        ),
    ]
}

#[test]
fn the_sound_file_has_no_fault() {
    assert!(schedule::parse(&format!("{HEAD}{CLASS}"), "retention.toml").is_ok());
}

#[test]
fn every_code_of_the_file_and_of_conditions_has_a_case() {
    let mine: BTreeSet<Code> = Code::ALL
        .iter()
        .copied()
        .filter(|code| code.as_str().starts_with("R01") || code.as_str().starts_with("R02"))
        .collect();
    let covered: BTreeSet<Code> = cases().into_iter().map(|(code, _)| code).collect();
    assert_eq!(covered, mine);
}

#[test]
fn each_fault_is_told_once_with_its_code() {
    for (code, files) in cases() {
        for file in files {
            let found: Vec<Code> = faults(&file).items.iter().map(|item| item.code).collect();
            assert!(!found.is_empty(), "{code}:\n{file}");
            assert!(
                found.iter().all(|other| *other == code),
                "{code}: {found:?}
{file}"
            );
        }
    }
}

#[test]
fn the_rendered_faults_are_as_they_were() {
    for (code, files) in cases() {
        let rendered: Vec<String> = files
            .iter()
            .map(|file| {
                let found = faults(file);
                let json: Vec<String> = found.json().iter().map(ToString::to_string).collect();
                format!("{}{}\n", found.render(false), json.join("\n"))
            })
            .collect();
        insta::assert_snapshot!(code.as_str(), rendered.join("\n"));
    }
}

#[test]
fn all_faults_of_a_file_are_told_in_its_order() {
    let text = r#"[schedule]
organisation = ""
time_zone = "Europe/Lodnon"

[[class]]
id = "Letters"
table = "letter"
trigger = 1
period = "8 yeers"
disposal = "delete"
where = "a ="
authority = "x"
resweep = 3

[[class]]
"#;
    let diagnostics = faults(text);
    let found: Vec<(&str, u32)> = diagnostics
        .items
        .iter()
        .map(|item| (item.code.as_str(), item.place.unwrap().line))
        .collect();
    assert_eq!(
        found,
        [
            ("R0103", 1),
            ("R0105", 2),
            ("R0108", 3),
            ("R0111", 6),
            ("R0103", 6),
            ("R0104", 8),
            ("R0107", 9),
            ("R0201", 11),
            ("R0115", 13),
            ("R0113", 15),
        ]
    );
    assert!(
        diagnostics
            .items
            .iter()
            .all(|item| item.severity == Severity::Error)
    );
    assert_eq!(
        diagnostics.to_string(),
        "retention.toml: error[R0103]: [schedule] needs `every` (and 9 more)"
    );
}

#[test]
fn warnings_alone_do_not_stop() {
    let schedule = schedule::parse(
        &and("limit = \"maximum\"\ngate = \"review\""),
        "retention.toml",
    )
    .unwrap();
    let codes: Vec<Code> = schedule
        .warnings()
        .iter()
        .map(|warning| warning.code)
        .collect();
    assert_eq!(codes, [Code::MaximumBehindReview]);
}

#[test]
fn carriage_returns_and_a_byte_order_mark_move_nothing() {
    let text = format!(
        "\u{feff}{}",
        with("8 years", "8 yeers").replace('\n', "\r\n")
    );
    let diagnostics = faults(&text);
    let [item] = diagnostics.items.as_slice() else {
        panic!("{}", diagnostics.render(false))
    };
    let place = item.place.unwrap();
    assert_eq!((place.line, place.column), (11, 10));
    assert_eq!(text.get(place.start..place.end), Some("\"8 yeers\""));

    let text = format!("\u{feff}oops = 1\n{HEAD}{CLASS}");
    let place = faults(&text).items.first().unwrap().place.unwrap();
    assert_eq!((place.line, place.column), (1, 1));
}

#[test]
fn the_part_of_a_condition_at_fault_is_underlined() {
    let text = and("where = \"kind = 'ä' AND is_old(kind)\"");
    let place = faults(&text).items.first().unwrap().place.unwrap();
    assert!(
        text.get(place.start..place.end)
            .unwrap()
            .starts_with("is_old")
    );
    // With escapes the whole text is.
    let text = and("where = \"\\\"kind\\\" = 'a' AND is_old(kind)\"");
    let place = faults(&text).items.first().unwrap().place.unwrap();
    assert!(text.get(place.start..place.end).unwrap().starts_with('"'));
}

#[test]
fn every_key_of_the_format_that_is_not_enforced_is_refused_as_such() {
    for key in ["unit", "resweep", "hide_keys"] {
        let codes: Vec<Code> = faults(&and(&format!("{key} = \"x\"")))
            .items
            .iter()
            .map(|item| item.code)
            .collect();
        assert_eq!(codes, [Code::NotYetSupported], "{key}");
    }
}

const HELD: &str = "disposal = \"delete\"\ntrigger = 2024-03-31\nperiod = \"2 years\"";

#[test]
fn what_a_processor_holds_has_no_key_that_is_about_rows() {
    let allowed = [
        "id",
        "title",
        "processor",
        "trigger",
        "period",
        "limit",
        "tolerance",
        "disposal",
        "gate",
        "authority",
        "lawful_basis",
        "owner",
        "review_on",
    ];
    let mut refused = 0;
    for (table, key) in schedule::known_keys() {
        if table != "a [[class]]" || allowed.contains(&key) {
            continue;
        }
        let file = elsewhere(&format!("{HELD}\n{key} = \"x\""));
        let found = faults(&file).items;
        let [fault] = &found[..] else {
            panic!("{key}: {found:?}");
        };
        assert_eq!(fault.code, Code::Contradiction, "{key}");
        assert!(fault.message.starts_with(&format!("`{key}` ")), "{fault:?}");
        assert!(fault.hint.is_some(), "{key}");
        let line = file.lines().count();
        assert_eq!(fault.place.unwrap().line as usize, line, "{key}");
        refused += 1;
    }
    assert!(refused >= 15, "{refused}");
}

#[test]
fn what_a_processor_holds_ends_on_a_day_or_when_the_controller_says_so() {
    for good in [
        HELD.to_owned(),
        format!("{HELD}\nlimit = \"maximum\""),
        format!("{HELD}\ngate = \"instruction\"\ntolerance = \"30 days\""),
        format!("{HELD}\ngate = \"none\"\nowner = \"Clerk\"\nreview_on = 2030-01-01"),
        "disposal = \"delete\"\ngate = \"instruction\"".to_owned(),
    ] {
        let schedule = schedule::parse(&elsewhere(&good), "f");
        let schedule = schedule.unwrap_or_else(|e| panic!("{}", e.render(false)));
        assert_eq!(
            (schedule.classes().len(), schedule.processors().len()),
            (0, 1)
        );
    }
    let codes = |lines: &str| -> Vec<Code> {
        let found = faults(&elsewhere(lines)).items;
        found.iter().map(|item| item.code).collect()
    };
    let without = |key: &str| -> String {
        let lines = HELD.lines().filter(|line| !line.starts_with(key));
        lines.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(codes("disposal = \"delete\""), [Code::MissingKey]);
    assert_eq!(codes(&without("trigger")), [Code::MissingKey]);
    assert_eq!(codes(&without("period")), [Code::MissingKey]);
    assert_eq!(codes(&without("disposal")), [Code::MissingKey]);
    let behind = "disposal = \"delete\"\ngate = \"instruction\"\nlimit = \"maximum\"";
    assert_eq!(codes(behind), [Code::Contradiction]);
}

#[test]
fn a_processor_shares_the_ids_with_the_tables() {
    let both = format!(
        "{}{}",
        elsewhere(HELD),
        CLASS.replace("letters", "applications")
    );
    let found: Vec<Code> = faults(&both).items.iter().map(|item| item.code).collect();
    assert_eq!(found, [Code::DuplicateClassId]);
}

#[test]
fn approvals_belong_to_reviews_and_are_few() {
    let codes = |more: &str| -> Vec<Code> {
        let found = faults(&and(more)).items;
        found.iter().map(|item| item.code).collect()
    };
    let reviewed = |n: &str| format!("gate = \"review\"\napprovals = {n}");
    assert_eq!(codes("approvals = 2"), [Code::Contradiction]);
    for (number, code) in [
        ("0", Code::BadLimit),
        ("10", Code::BadLimit),
        ("-1", Code::BadLimit),
        ("\"two\"", Code::WrongType),
    ] {
        assert_eq!(codes(&reviewed(number)), [code], "{number}");
    }
}

#[test]
fn what_reviewers_are_shown_belongs_to_classes_that_have_any() {
    let codes = |more: &str| -> Vec<Code> {
        let found = faults(&and(more)).items;
        found.iter().map(|item| item.code).collect()
    };
    let preview = "preview = [\"sender\"]";
    assert_eq!(codes(preview), [Code::Contradiction]);
    let instruction = format!("gate = \"instruction\"\n{preview}");
    assert_eq!(codes(&instruction), [Code::Contradiction]);
    for (columns, code) in [
        ("[]", Code::EmptyList),
        ("\"sender\"", Code::WrongType),
        ("[\"sender\", \"sender\"]", Code::Repeated),
    ] {
        let more = format!("gate = \"review\"\npreview = {columns}");
        assert_eq!(codes(&more), [code], "{columns}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn no_text_makes_reading_or_rendering_panic(text in "(?s).{0,200}") {
        let _ = faults(&text).render(true);
    }

    #[test]
    fn no_change_of_a_sound_file_makes_reading_or_rendering_panic(
        start in 0usize..400, length in 0usize..30, new in "[\\[\\]{}=\"'.,#a-zé0-9\\\\\n\r\t -]{0,12}",
    ) {
        let file = format!("{HEAD}{}", anonymising("{ name = \"null\" }\ndependants = [{ table = \"x\" }]"));
        let chars: Vec<char> = file.chars().collect();
        let start = start.min(chars.len());
        let end = (start + length).min(chars.len());
        let changed: String = chars[..start].iter().copied().chain(new.chars()).chain(chars[end..].iter().copied()).collect();
        let found = faults(&changed);
        for item in &found.items {
            if let Some(place) = item.place {
                prop_assert!(changed.get(place.start..place.end).is_some());
            }
        }
        let _ = found.render(true);
        let _ = found.json();
    }
}
