//! The sentence that says why a record is due.

use chrono::NaiveDate;
use retentiond::schedule::{CountedFrom, Dispose};

use crate::{stage, support};

fn rule(rest: &str) -> Dispose {
    let rest = format!("table = \"letter\"\n{rest}\ngate = \"review\"\n");
    let toml = format!("{}{}", stage::HEAD, stage::class("letters", &rest));
    let schedule = support::schedule(&toml);
    schedule.classes()[0].dispose().unwrap().clone()
}

#[test]
fn why_a_record_is_due_is_one_sentence() {
    let columns = "trigger = [\"closed_at\", \"matter.ended_on\", \"decision_date\"]";
    let cases = [
        (
            "trigger = \"closed_on\"\nperiod = \"8 years\"\ndisposal = \"delete\"",
            0,
            "2018-03-03",
            "closed on 3 March 2018, kept 8 years, through 3 March 2026",
        ),
        (
            &format!("{columns}\nperiod = \"1 year 6 months\"\ndisposal = \"delete\""),
            1,
            "2020-08-31",
            "its matter: ended on 31 August 2020, kept 1 year 6 months, through 28 February 2022",
        ),
        (
            &format!("{columns}\nperiod = \"90 days\"\nlimit = \"maximum\"\ndisposal = \"delete\""),
            2,
            "2021-01-01",
            "“decision date” is 1 January 2021, kept at most 90 days, until 1 April 2021",
        ),
        (
            "trigger = \"paid_on\"\nfrom_end_of = \"financial year\"\nperiod = \"6 years\"\ndisposal = \"delete\"",
            0,
            "2019-04-01",
            "paid on 1 April 2019, kept 6 years from the end of that financial year, through 31 March 2026",
        ),
        (
            "trigger = 2021-07-31\nperiod = \"90 days\"\ndisposal = \"delete\"",
            0,
            "2021-07-31",
            "counted from 31 July 2021, kept 90 days, through 29 October 2021",
        ),
    ];
    for (rest, nth, trigger, expected) in cases {
        let rule = rule(rest);
        let trigger: NaiveDate = trigger.parse().unwrap();
        let said = rule.why(
            CountedFrom::Trigger(nth),
            Some(trigger),
            rule.last_day(trigger),
        );
        assert_eq!(said, expected);
    }
}

#[test]
fn a_stage_is_told_by_its_own_period() {
    let rule = rule(
        "trigger = \"closed_on\"\nperiod = \"8 years\"\ndisposal = \"delete\"\n\
         stages = [{ after = \"6 months\", disposal = \"anonymise\", anonymise = { name = \"null\" } }]",
    );
    let said = |last_day: &str| {
        let day = |text: &str| Some(text.parse::<NaiveDate>().unwrap());
        rule.why(CountedFrom::Trigger(0), day("2018-03-03"), day(last_day))
    };
    assert_eq!(
        said("2018-09-03"),
        "closed on 3 March 2018, kept 6 months, through 3 September 2018, then to be anonymised"
    );
    assert_eq!(
        said("2026-03-03"),
        "closed on 3 March 2018, kept 8 years, through 3 March 2026"
    );
}

#[test]
fn what_is_due_at_once_says_since_when() {
    let rule = rule(
        "trigger = \"taken_on\"\nperiod = \"4 years\"\ndisposal = \"delete\"\nor_when = \"consent_withdrawn_at IS NOT NULL\"",
    );
    assert_eq!(
        rule.why(CountedFrom::Nothing, None, None),
        "due at once, since consent_withdrawn_at IS NOT NULL"
    );
}

/// A person's request moves the last day to the day before it, and gives one to a record that
/// has no trigger.
#[test]
fn what_a_person_asked_to_be_erased_says_so() {
    let rule = rule("trigger = \"closed_on\"\nperiod = \"8 years\"\ndisposal = \"delete\"");
    let day = |text: &str| Some(text.parse::<NaiveDate>().unwrap());
    let said = |trigger| rule.why(CountedFrom::Trigger(0), trigger, day("2026-11-22"));
    assert_eq!(
        said(day("2025-01-01")),
        "closed on 1 January 2025, and its erasure was asked for on 23 November 2026"
    );
    assert_eq!(said(None), "its erasure was asked for on 23 November 2026");
}
