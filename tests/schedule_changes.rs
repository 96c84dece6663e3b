//! A table of changes: for each pair of versions, whether a person is asked, and what they
//! are told. Every key that the schedule knows has a row.
//!
//! `rules.md`: in force at once only if the sole differences are titles and other words,
//! comments, a longer period of the same units, a milder disposal, an added gate or notice,
//! or an added `retain` class.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use retentiond::schedule::{self, Change, Schedule, changes, known_keys};

const BASE: &str = r#"
[schedule]
organisation = "An Office"
time_zone = "Europe/London"
every = "0 0 2 * * *"
accept = "by hand"
details_kept = "6 years"

[[class]]
id = "letters"
title = "Letters"
table = "letter"
where = "kind = 'a'"
trigger = [{ column = "closed_on", when = "is_open = false" }]
period = "8 years"
limit = "minimum"
disposal = "delete"
gate = "none"
dependants = ["page", { table = "note", action = "unlink" }]
files = [{ column = "path", store = "media", table = "letter" }]
max_rows = 1000
max_share = 0.5
max_growth = 3.0
authority = "Notice"
lawful_basis = "Public task"

[[class]]
id = "applicants"
title = "Applicants"
table = "applicant"
trigger = "decided_on"
period = "6 months"
disposal = "anonymise"
anonymise = { name = "redact" }
authority = "Notice"

[[class]]
id = "notes"
title = "Notes"
table = "memo"
trigger = "made_on"
period = "90 days"
disposal = "delete"
gate = "review"
authority = "Notice"

[[class]]
id = "survey-answers"
title = "Answers"
processor = "Example Surveys Ltd"
trigger = 2024-03-31
period = "2 years"
disposal = "delete"
tolerance = "14 days"
authority = "Contract 7"

[[class]]
id = "hired"
title = "Hired"
table = "staff"
disposal = "retain"
owner = "Head of People"
reason = "Another notice"
authority = "Notice"
"#;

const SCHEDULE: &str = "[schedule]";
const CLASS: &str = "a [[class]]";

/// One pair of versions: a text of the base, and what stands there in the other.
struct Row {
    of: (&'static str, &'static str),
    old: &'static str,
    new: &'static str,
    /// Whether the way there asks, and whether the way back does.
    asks: (bool, bool),
    /// What is told of the way there.
    told: &'static [&'static str],
}

const fn row(
    of: (&'static str, &'static str),
    old: &'static str,
    new: &'static str,
    asks: (bool, bool),
    told: &'static [&'static str],
) -> Row {
    Row {
        of,
        old,
        new,
        asks,
        told,
    }
}

const NO: (bool, bool) = (false, false);
const BOTH: (bool, bool) = (true, true);
const BACK: (bool, bool) = (false, true);
const THERE: (bool, bool) = (true, false);

const TABLE: &[Row] = &[
    // The file: its layout, and classes that come and go.
    row(
        ("the file", "schedule"),
        "[schedule]\n",
        "# A remark\n\n[schedule]   # and another\n",
        NO,
        &[],
    ),
    row(
        ("the file", "class"),
        "\n[[class]]\nid = \"hired\"\ntitle = \"Hired\"\ntable = \"staff\"\ndisposal = \"retain\"\nowner = \"Head of People\"\nreason = \"Another notice\"\nauthority = \"Notice\"\n",
        "",
        THERE,
        &["class `hired`: it is gone from the schedule"],
    ),
    row(
        ("the file", "class"),
        "\n[[class]]\nid = \"hired\"",
        "\n[[class]]\nid = \"visits\"\ntitle = \"V\"\ntable = \"visit\"\ntrigger = \"made_on\"\nperiod = \"1 year\"\ndisposal = \"flag\"\nauthority = \"Notice\"\n\n[[class]]\nid = \"hired\"",
        BOTH,
        &["class `visits`: it is new"],
    ),
    // [schedule].
    row(
        (SCHEDULE, "organisation"),
        "\"An Office\"",
        "\"The Office\"",
        NO,
        &["the organisation is \"The Office\" instead of \"An Office\""],
    ),
    row(
        (SCHEDULE, "time_zone"),
        "\"Europe/London\"",
        "\"Europe/Dublin\"",
        BOTH,
        &["the time zone is \"Europe/Dublin\" instead of \"Europe/London\""],
    ),
    row(
        (SCHEDULE, "every"),
        "\"0 0 2 * * *\"",
        "\"0 0 3 * * *\"",
        BOTH,
        &["the timetable is \"0 0 3 * * *\" instead of \"0 0 2 * * *\""],
    ),
    row(
        (SCHEDULE, "accept"),
        "\"by hand\"",
        "\"automatic\"",
        BOTH,
        &["`accept` is \"automatic\" instead of \"by hand\""],
    ),
    row(
        (SCHEDULE, "details_kept"),
        "\"6 years\"",
        "\"7 years\"",
        BOTH,
        &["`details_kept` is \"7 years\" instead of \"6 years\""],
    ),
    row(
        (SCHEDULE, "appeal_window"),
        "details_kept",
        "appeal_window = \"20 weeks\"\ndetails_kept",
        BOTH,
        &["`appeal_window` is \"140 days\" instead of \"3 months\""],
    ),
    // [[class]]: words.
    row(
        (CLASS, "title"),
        "title = \"Letters\"",
        "title = \"All letters\"",
        NO,
        &["class `letters`: other words in `title`"],
    ),
    row(
        (CLASS, "authority"),
        "authority = \"Notice\"\nlawful",
        "authority = \"Policy\"\nlawful",
        NO,
        &["class `letters`: other words in `authority`"],
    ),
    row(
        (CLASS, "lawful_basis"),
        "\"Public task\"",
        "\"Consent\"",
        NO,
        &["class `letters`: other words in `lawful_basis`"],
    ),
    row(
        (CLASS, "owner"),
        "\"Head of People\"",
        "\"Head of Staff\"",
        NO,
        &["class `hired`: other words in `owner`"],
    ),
    row(
        (CLASS, "reason"),
        "\"Another notice\"",
        "\"A notice of their own\"",
        NO,
        &["class `hired`: other words in `reason`"],
    ),
    // [[class]]: what it is about.
    row(
        (CLASS, "id"),
        "id = \"letters\"",
        "id = \"post\"",
        BOTH,
        &[
            "class `post`: it is new",
            "class `letters`: it is gone from the schedule",
        ],
    ),
    row(
        (CLASS, "table"),
        "table = \"applicant\"",
        "table = \"candidate\"",
        BOTH,
        &["class `applicants`: the table is public.candidate instead of public.applicant"],
    ),
    row(
        (CLASS, "where"),
        "where = \"kind = 'a'\"",
        "where = \"kind = 'a' AND old\"",
        BOTH,
        &[
            "class `letters`: the condition is ((\"kind\" = 'a') AND \"old\") instead of (\"kind\" = 'a')",
        ],
    ),
    row(
        (CLASS, "trigger"),
        "trigger = \"decided_on\"",
        "trigger = [\"decided_on\", \"applied_on\"]",
        BOTH,
        &["class `applicants`: the trigger is decided_on, else applied_on instead of decided_on"],
    ),
    row(
        ("a trigger", "column"),
        "column = \"closed_on\"",
        "column = \"sent_on\"",
        BOTH,
        &[
            "class `letters`: the trigger is sent_on when (\"is_open\" = FALSE) instead of closed_on when (\"is_open\" = FALSE)",
        ],
    ),
    row(
        ("a trigger", "when"),
        "{ column = \"closed_on\", when = \"is_open = false\" }",
        "{ column = \"closed_on\" }",
        BOTH,
        &[
            "class `letters`: the trigger is closed_on instead of closed_on when (\"is_open\" = FALSE)",
        ],
    ),
    row(
        (CLASS, "plausible_from"),
        "trigger = \"decided_on\"",
        "trigger = \"decided_on\"\nplausible_from = 2000-01-01",
        BOTH,
        &["class `applicants`: `plausible_from` is 2000-01-01 instead of 1990-01-01"],
    ),
    row(
        (CLASS, "trigger_zone"),
        "trigger = \"decided_on\"",
        "trigger = \"decided_on\"\ntrigger_zone = \"UTC\"",
        BOTH,
        &["class `applicants`: `trigger_zone` is UTC instead of the schedule's"],
    ),
    row(
        (CLASS, "from_end_of"),
        "trigger = \"decided_on\"",
        "trigger = \"decided_on\"\nfrom_end_of = \"calendar year\"",
        BOTH,
        &["class `applicants`: `from_end_of` is calendar year instead of none"],
    ),
    row(
        (CLASS, "tolerance"),
        "trigger = \"decided_on\"",
        "trigger = \"decided_on\"\ntolerance = \"5 days\"",
        BOTH,
        &["class `applicants`: `tolerance` is 5 days instead of 0 days"],
    ),
    row(
        (CLASS, "unless_active"),
        "trigger = \"decided_on\"",
        "trigger = \"decided_on\"\nunless_active = [\"seen_on\"]",
        BOTH,
        &["class `applicants`: `unless_active` is seen_on instead of nothing"],
    ),
    row(
        (CLASS, "erasure_right"),
        "trigger = \"decided_on\"",
        "trigger = \"decided_on\"\nerasure_right = false",
        BOTH,
        &["class `applicants`: `erasure_right` is false instead of true"],
    ),
    row(
        (CLASS, "every"),
        "trigger = \"decided_on\"",
        "trigger = \"decided_on\"\nevery = \"0 0 6 * * *\"",
        BOTH,
        &["class `applicants`: its timetable is \"0 0 6 * * *\" instead of the schedule's"],
    ),
    row(
        (CLASS, "or_when"),
        "trigger = \"decided_on\"",
        "trigger = \"decided_on\"\nor_when = \"withdrawn\"",
        BOTH,
        &["class `applicants`: `or_when` is \"withdrawn\" instead of nothing"],
    ),
    row(
        (CLASS, "review_on"),
        "owner = \"Head of People\"",
        "owner = \"Head of People\"\nreview_on = 2030-01-01",
        NO,
        &["class `hired`: other words in `review_on`"],
    ),
    row(
        (CLASS, "notice"),
        "period = \"8 years\"",
        "period = \"8 years\"\nnotice = \"30 days\"",
        BACK,
        &["class `letters`: the notice is 30 days instead of none"],
    ),
    row(
        (CLASS, "stages"),
        "period = \"8 years\"",
        "period = \"8 years\"\nstages = [{ after = \"1 year\", disposal = \"anonymise\", anonymise = { name = \"null\" } }]",
        BOTH,
        &["class `letters`: its stages differ"],
    ),
    row(
        ("a stage", "after"),
        "period = \"8 years\"",
        "period = \"8 years\"\nstages = [{ after = \"1 year\", disposal = \"anonymise\", anonymise = { name = \"null\" } }]",
        BOTH,
        &["class `letters`: its stages differ"],
    ),
    row(
        ("a stage", "disposal"),
        "period = \"8 years\"",
        "period = \"8 years\"\nstages = [{ after = \"1 year\", disposal = \"anonymise\", anonymise = { name = \"null\" } }]",
        BOTH,
        &["class `letters`: its stages differ"],
    ),
    row(
        ("a stage", "anonymise"),
        "period = \"8 years\"",
        "period = \"8 years\"\nstages = [{ after = \"1 year\", disposal = \"anonymise\", anonymise = { name = \"null\" } }]",
        BOTH,
        &["class `letters`: its stages differ"],
    ),
    // Periods: longer, of the same units.
    row(
        (CLASS, "period"),
        "\"8 years\"",
        "\"9 years\"",
        BACK,
        &["class `letters`: the period is 9 years instead of 8 years"],
    ),
    row(
        (CLASS, "period"),
        "\"8 years\"",
        "\"97 months\"",
        BACK,
        &["class `letters`: the period is 8 years 1 month instead of 8 years"],
    ),
    row(
        (CLASS, "period"),
        "\"90 days\"",
        "\"13 weeks\"",
        BACK,
        &["class `notes`: the period is 91 days instead of 90 days"],
    ),
    row(
        (CLASS, "period"),
        "\"90 days\"",
        "\"3 years\"",
        BOTH,
        &["class `notes`: the period is 3 years instead of 90 days"],
    ),
    row(
        (CLASS, "period"),
        "\"8 years\"",
        "\"8 days\"",
        BOTH,
        &["class `letters`: the period is 8 days instead of 8 years"],
    ),
    row(
        (CLASS, "period"),
        "\"8 years\"",
        "\"8 years 1 day\"",
        BOTH,
        &["class `letters`: the period is 8 years 1 day instead of 8 years"],
    ),
    row(
        (CLASS, "limit"),
        "limit = \"minimum\"",
        "limit = \"maximum\"",
        BOTH,
        &["class `letters`: the limit is maximum instead of minimum"],
    ),
    // Disposals: milder.
    row(
        (CLASS, "disposal"),
        "disposal = \"delete\"\ngate = \"review\"",
        "disposal = \"flag\"\ngate = \"review\"",
        BACK,
        &["class `notes`: the disposal is flag instead of delete"],
    ),
    row(
        (CLASS, "disposal"),
        "disposal = \"delete\"\ngate = \"review\"",
        "disposal = \"anonymise\"\nanonymise = { body = \"null\" }\ngate = \"review\"",
        BACK,
        &["class `notes`: the disposal is anonymise instead of delete"],
    ),
    row(
        (CLASS, "disposal"),
        "disposal = \"anonymise\"\nanonymise = { name = \"redact\" }",
        "disposal = \"flag\"",
        BACK,
        &["class `applicants`: the disposal is flag instead of anonymise"],
    ),
    // A flag touches nothing: what went with a record goes with the severer disposal.
    row(
        (CLASS, "disposal"),
        "disposal = \"delete\"\ngate = \"none\"\ndependants = [\"page\", { table = \"note\", action = \"unlink\" }]\nfiles = [{ column = \"path\", store = \"media\", table = \"letter\" }]",
        "disposal = \"flag\"",
        BACK,
        &["class `letters`: the disposal is flag instead of delete"],
    ),
    // Not a disposal that is milder, but no disposal: the class is another.
    row(
        (CLASS, "disposal"),
        "trigger = \"made_on\"\nperiod = \"90 days\"\ndisposal = \"delete\"\ngate = \"review\"",
        "disposal = \"retain\"\nowner = \"O\"\nreason = \"R\"",
        BOTH,
        &["class `notes`: the disposal is retain instead of delete"],
    ),
    row(
        (CLASS, "anonymise"),
        "{ name = \"redact\" }",
        "{ name = \"null\" }",
        BOTH,
        &["class `applicants`: other columns are anonymised"],
    ),
    row(
        (CLASS, "gate"),
        "gate = \"none\"",
        "gate = \"instruction\"",
        BACK,
        &["class `letters`: the gate is instruction instead of none"],
    ),
    row(
        (CLASS, "gate"),
        "gate = \"review\"",
        "gate = \"instruction\"",
        BOTH,
        &["class `notes`: the gate is instruction instead of review"],
    ),
    row(
        (CLASS, "approvals"),
        "gate = \"review\"",
        "gate = \"review\"\napprovals = 2",
        BACK,
        &["class `notes`: the number of approvals is 2 instead of 1"],
    ),
    row(
        (CLASS, "preview"),
        "gate = \"review\"",
        "gate = \"review\"\npreview = [\"author\"]",
        NO,
        &["class `notes`: reviewers are shown other columns"],
    ),
    // Another column may name fewer people.
    row(
        (CLASS, "subject"),
        "table = \"memo\"",
        "table = \"memo\"\nsubject = \"author_id\"",
        BACK,
        &["class `notes`: the subject is author_id instead of none"],
    ),
    row(
        (CLASS, "dependants"),
        "[\"page\", ",
        "[\"page\", \"stamp\", ",
        BOTH,
        &[
            "class `letters`: what goes with a record is public.note (unlinked), public.page, public.stamp instead of public.note (unlinked), public.page",
        ],
    ),
    row(
        ("a dependant", "table"),
        "{ table = \"note\", ",
        "{ table = \"remark\", ",
        BOTH,
        &[
            "class `letters`: what goes with a record is public.page, public.remark (unlinked) instead of public.note (unlinked), public.page",
        ],
    ),
    row(
        ("a dependant", "action"),
        "action = \"unlink\"",
        "action = \"delete\"",
        BOTH,
        &[
            "class `letters`: what goes with a record is public.note, public.page instead of public.note (unlinked), public.page",
        ],
    ),
    row(
        ("a dependant", "on"),
        "{ table = \"note\", ",
        "{ table = \"note\", on = \"letter_no = id\", ",
        BOTH,
        &[
            "class `letters`: what goes with a record is public.note by \"letter_no\" = \"public\".\"letter\".\"id\" (unlinked), public.page instead of public.note (unlinked), public.page",
        ],
    ),
    row(
        ("a dependant", "where"),
        "{ table = \"note\", ",
        "{ table = \"note\", on = \"letter_no = id\", where = \"kind = 'a'\", ",
        BOTH,
        &[
            "class `letters`: what goes with a record is public.note by \"letter_no\" = \"public\".\"letter\".\"id\" where (\"kind\" = 'a') (unlinked), public.page instead of public.note (unlinked), public.page",
        ],
    ),
    row(
        (CLASS, "files"),
        "files = [{ column = \"path\", store = \"media\", table = \"letter\" }]\n",
        "",
        BOTH,
        &["class `letters`: its list of files is nothing instead of public.letter.path in media"],
    ),
    row(
        ("an entry of files", "column"),
        "column = \"path\"",
        "column = \"scan\"",
        BOTH,
        &[
            "class `letters`: its list of files is public.letter.scan in media instead of public.letter.path in media",
        ],
    ),
    row(
        ("an entry of files", "store"),
        "store = \"media\"",
        "store = \"scans\"",
        BOTH,
        &[
            "class `letters`: its list of files is public.letter.path in scans instead of public.letter.path in media",
        ],
    ),
    row(
        ("an entry of files", "table"),
        "table = \"letter\" }",
        "table = \"page\" }",
        BOTH,
        &[
            "class `letters`: its list of files is public.page.path in media instead of public.letter.path in media",
        ],
    ),
    row(
        (CLASS, "max_rows"),
        "max_rows = 1000",
        "max_rows = 100",
        BOTH,
        &["class `letters`: `max_rows` is 100 instead of 1000"],
    ),
    row(
        (CLASS, "max_share"),
        "max_share = 0.5\n",
        "",
        BOTH,
        &["class `letters`: `max_share` is none instead of 0.5"],
    ),
    row(
        (CLASS, "max_growth"),
        "max_growth = 3.0",
        "max_growth = 4",
        BOTH,
        &["class `letters`: `max_growth` is 4 instead of 3"],
    ),
    row(
        (CLASS, "erasure"),
        "gate = \"review\"",
        "gate = \"review\"\nerasure = \"secure\"",
        BOTH,
        &["class `notes`: the erasure is secure instead of ordinary"],
    ),
    // What processors hold.
    row(
        (CLASS, "processor"),
        "processor = \"Example Surveys Ltd\"",
        "processor = \"Other Surveys Ltd\"",
        BOTH,
        &[
            "class `survey-answers`: the processor is \"Other Surveys Ltd\" instead of \"Example Surveys Ltd\"",
        ],
    ),
    row(
        (CLASS, "title"),
        "title = \"Answers\"",
        "title = \"All answers\"",
        NO,
        &["class `survey-answers`: other words in `title`"],
    ),
    row(
        (CLASS, "authority"),
        "authority = \"Contract 7\"",
        "authority = \"Contract 8\"\nlawful_basis = \"Consent\"\nowner = \"Clerk\"\nreview_on = 2030-01-01",
        NO,
        &[
            "class `survey-answers`: other words in `authority`",
            "class `survey-answers`: other words in `lawful_basis`",
            "class `survey-answers`: other words in `owner`",
            "class `survey-answers`: other words in `review_on`",
        ],
    ),
    row(
        (CLASS, "trigger"),
        "trigger = 2024-03-31",
        "trigger = 2024-04-01",
        BOTH,
        &["class `survey-answers`: the trigger is 2024-04-01 instead of 2024-03-31"],
    ),
    row(
        (CLASS, "period"),
        "period = \"2 years\"",
        "period = \"3 years\"",
        BACK,
        &["class `survey-answers`: the period is 3 years instead of 2 years"],
    ),
    row(
        (CLASS, "period"),
        "trigger = 2024-03-31\nperiod = \"2 years\"",
        "gate = \"instruction\"",
        BOTH,
        &[
            "class `survey-answers`: it ends when the controller instructs, no longer on a day",
            "class `survey-answers`: the gate is instruction instead of none",
        ],
    ),
    row(
        (CLASS, "limit"),
        "period = \"2 years\"\ndisposal = \"delete\"\ntolerance = \"14 days\"",
        "period = \"2 years\"\ndisposal = \"delete\"\nlimit = \"maximum\"",
        BOTH,
        &[
            "class `survey-answers`: the limit is maximum instead of minimum",
            "class `survey-answers`: `tolerance` is 0 days instead of 14 days",
        ],
    ),
    row(
        (CLASS, "tolerance"),
        "\"14 days\"",
        "\"15 days\"",
        BOTH,
        &["class `survey-answers`: `tolerance` is 15 days instead of 14 days"],
    ),
    row(
        (CLASS, "gate"),
        "tolerance = \"14 days\"",
        "tolerance = \"14 days\"\ngate = \"instruction\"",
        BACK,
        &["class `survey-answers`: the gate is instruction instead of none"],
    ),
    row(
        ("the file", "class"),
        "[[class]]\nid = \"survey-answers\"",
        "[[class]]\nid = \"jobs\"\ntitle = \"J\"\nprocessor = \"Example Jobs Ltd\"\ngate = \"instruction\"\ndisposal = \"delete\"\nauthority = \"Notice\"\n\n[[class]]\nid = \"survey-answers\"",
        BOTH,
        &["class `jobs`: it is new, and held by \"Example Jobs Ltd\""],
    ),
    row(
        (CLASS, "table"),
        "processor = \"Example Surveys Ltd\"",
        "table = \"answer\"",
        BOTH,
        &[
            "class `survey-answers`: it is new",
            "class `survey-answers`: it is gone from the schedule",
        ],
    ),
];

fn read(text: &str) -> Schedule {
    schedule::parse(text, "retention.toml")
        .unwrap_or_else(|faults| panic!("{}\n{text}", faults.render(false)))
}

fn asks(changes: &[Change]) -> bool {
    changes.iter().any(|change| change.asks)
}

#[test]
fn each_change_asks_as_the_rules_say_there_and_back() {
    for Row {
        of,
        old,
        new,
        asks: expected,
        told,
    } in TABLE
    {
        assert_eq!(BASE.matches(old).count(), 1, "{of:?}: {old}");
        let (before, after) = (read(BASE), read(&BASE.replace(old, new)));
        let there = changes(&before, &after);
        let back = changes(&after, &before);
        assert_eq!(
            (asks(&there), asks(&back)),
            *expected,
            "{of:?}: {there:#?} {back:#?}"
        );
        let words: Vec<String> = there.iter().map(ToString::to_string).collect();
        assert_eq!(words, *told, "{of:?}");
    }
}

#[test]
fn every_key_that_the_schedule_knows_has_a_row() {
    let rows: BTreeSet<(&str, &str)> = TABLE.iter().map(|row| row.of).collect();
    let known: BTreeSet<(&str, &str)> = known_keys().into_iter().collect();
    assert_eq!(
        known.difference(&rows).collect::<Vec<_>>(),
        Vec::<&(&str, &str)>::new()
    );
    assert_eq!(
        rows.difference(&known).collect::<Vec<_>>(),
        Vec::<&(&str, &str)>::new()
    );
}

/// Versions that mean the same have nothing to ask, and those that differ have something to
/// tell.
#[test]
fn what_is_told_goes_with_the_digest() {
    for row in TABLE {
        let (before, after) = (read(BASE), read(&BASE.replace(row.old, row.new)));
        let found = changes(&before, &after);
        if before.digest() == after.digest() {
            assert!(!asks(&found), "{:?}", row.of);
        } else {
            assert!(!found.is_empty(), "{:?}", row.of);
        }
    }
}

/// A harmless change beside a harmful one is asked about, and both are told.
#[test]
fn harmless_changes_hide_no_harmful_one() {
    let harmless = BASE
        .replace("\"8 years\"", "\"9 years\"")
        .replace("gate = \"none\"", "gate = \"review\"")
        .replace("title = \"Letters\"", "title = \"Post\"");
    assert!(!asks(&changes(&read(BASE), &read(&harmless))));
    for row in TABLE.iter().filter(|row| row.asks.0) {
        if harmless.matches(row.old).count() != 1 {
            continue;
        }
        let new = read(&harmless.replace(row.old, row.new));
        assert!(asks(&changes(&read(BASE), &new)), "{:?}", row.of);
    }
}

#[test]
fn an_added_class_that_retains_asks_nobody_and_each_change_has_its_line() {
    let added = format!(
        "{BASE}\n[[class]]\nid = \"archive\"\ntitle = \"Archive\"\ntable = \"letter\"\ndisposal = \"retain\"\nowner = \"O\"\nreason = \"R\"\nauthority = \"Notice\"\n"
    );
    let new = added.replace("\"6 months\"", "\"6 days\"");
    let found = changes(&read(BASE), &read(&added));
    let told: Vec<(String, bool)> = found.iter().map(|c| (c.to_string(), c.asks)).collect();
    assert_eq!(
        told,
        [("class `archive`: it is new, and retains".to_owned(), false)]
    );
    let found = changes(&read(BASE), &read(&new));
    let line =
        |text: &str| 1 + u32::try_from(new.lines().position(|l| l == text).unwrap()).unwrap();
    let places: Vec<(Option<&str>, u32)> = found
        .iter()
        .map(|change| {
            (
                change.class.as_ref().map(|id| id.as_str()),
                change.place.line,
            )
        })
        .collect();
    assert_eq!(
        places,
        [
            (Some("applicants"), line("period = \"6 days\"")),
            (Some("archive"), line("id = \"archive\"")),
        ]
    );
}

#[test]
fn the_order_of_classes_and_dependants_is_layout() {
    let page = "[\"page\", { table = \"note\", action = \"unlink\" }]";
    let turned = BASE.replace(
        page,
        "[{ action = \"unlink\", table = \"note\" }, \"page\"]",
    );
    assert_ne!(turned, BASE);
    assert_eq!(changes(&read(BASE), &read(&turned)), []);
}
