//! A random schedule, printed by a renderer that knows nothing of the reader, is read as
//! what it was printed from; and printed in another layout it means the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use chrono::NaiveDate;
use proptest::prelude::*;
use retentiond::schedule::{self, Disposal, Gate, Limit, Schedule, Trigger};

/// A class as a person might think of it.
#[derive(Debug, Clone)]
struct Drawn {
    table: String,
    claim: Option<u8>,
    trigger: DrawnTrigger,
    months: u32,
    days: u32,
    disposal: u8,
    maximum: bool,
    gate: usize,
    dependants: Vec<bool>,
    title: String,
}

#[derive(Debug, Clone)]
enum DrawnTrigger {
    Columns(Vec<Option<u8>>),
    Fixed(NaiveDate),
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let trigger = prop_oneof![
        prop::collection::vec(prop::option::of(0u8..9), 1..4).prop_map(DrawnTrigger::Columns),
        (0i64..20_000).prop_map(|n| DrawnTrigger::Fixed(
            NaiveDate::from_ymd_opt(1995, 1, 1).unwrap() + chrono::TimeDelta::days(n)
        )),
    ];
    (
        ("[a-z]{1,8}", prop::option::of(0u8..9), trigger),
        (0u32..300, 0u32..100),
        (0u8..4, any::<bool>(), 0usize..3),
        prop::collection::vec(any::<bool>(), 0..4),
        "[ -~é]{0,12}x",
    )
        .prop_map(
            |(
                (table, claim, trigger),
                (months, days),
                (disposal, maximum, gate),
                dependants,
                title,
            )| {
                Drawn {
                    table,
                    claim,
                    trigger,
                    months,
                    days: if months == 0 { days + 1 } else { days },
                    disposal,
                    maximum,
                    gate,
                    dependants,
                    title,
                }
            },
        )
}

fn text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The file. `plain` is one key a line; otherwise keys stand in another order, with remarks,
/// periods in ISO 8601, and lists over several lines.
fn print(classes: &[Drawn], plain: bool) -> String {
    let mut file = "[schedule]\norganisation = \"A\"\ntime_zone = \"Europe/London\"\nevery = \"0 0 2 * * *\"\n".to_owned();
    for (nth, class) in classes.iter().enumerate() {
        let mut lines = vec![
            format!("id = \"c{nth}\""),
            format!("title = {}", text(&class.title)),
            format!("table = {}", text(&format!("t_{}", class.table))),
            "authority = \"Notice\"".to_owned(),
        ];
        if let Some(n) = class.claim {
            lines.push(format!("where = \"kind = {n} OR late\""));
        }
        if class.disposal == 3 {
            lines.push("disposal = \"retain\"\nowner = \"A\"\nreason = \"B\"".to_owned());
        } else {
            lines.push(match &class.trigger {
                DrawnTrigger::Fixed(date) => format!("trigger = {date}"),
                DrawnTrigger::Columns(columns) => {
                    let entries: Vec<String> = columns
                        .iter()
                        .enumerate()
                        .map(|(n, when)| match when {
                            None => format!("\"on_{n}\""),
                            Some(k) => format!("{{ column = \"on_{n}\", when = \"kind = {k}\" }}"),
                        })
                        .collect();
                    format!(
                        "trigger = [{}]",
                        entries.join(if plain { ", " } else { ",\n    " })
                    )
                }
            });
            lines.push(if plain {
                format!("period = \"{} months {} days\"", class.months, class.days)
            } else {
                format!(
                    "period = \"P{}Y{}M{}D\"",
                    class.months / 12,
                    class.months % 12,
                    class.days
                )
            });
            let disposal = ["flag", "delete", "anonymise"][usize::from(class.disposal)];
            lines.push(format!("disposal = \"{disposal}\""));
            if class.disposal == 2 {
                lines.push(
                    "anonymise = { name = \"redact\", \"answers.phone\" = \"remove\" }".to_owned(),
                );
            }
            if class.maximum {
                lines.push("limit = \"maximum\"".to_owned());
            }
            lines.push(format!(
                "gate = \"{}\"",
                ["none", "review", "instruction"][class.gate]
            ));
            if class.disposal != 0 && !class.dependants.is_empty() {
                let tables: Vec<String> = class
                    .dependants
                    .iter()
                    .enumerate()
                    .map(|(n, unlink)| match unlink {
                        true => format!("{{ table = \"d{n}\", action = \"unlink\" }}"),
                        false => format!("\"public.d{n}\""),
                    })
                    .collect();
                lines.push(format!("dependants = [{}]", tables.join(", ")));
            }
        }
        if !plain {
            lines.reverse();
        }
        file.push_str("\n[[class]]\n");
        for line in lines {
            file.push_str(&line);
            file.push_str(if plain { "\n" } else { "   # a remark\n\n" });
        }
    }
    file
}

fn read(file: &str) -> Schedule {
    schedule::parse(file, "f").unwrap_or_else(|e| panic!("{}\n{file}", e.render(false)))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn what_was_printed_is_read_again(classes in prop::collection::vec(drawn(), 1..5)) {
        let read_plain = read(&print(&classes, true));
        for (class, drawn) in read_plain.classes().iter().zip(&classes) {
            prop_assert_eq!(class.table().name().as_str(), format!("t_{}", drawn.table));
            prop_assert_eq!(class.title(), drawn.title.trim());
            prop_assert_eq!(class.claim().is_some(), drawn.claim.is_some());
            let Some(rule) = class.dispose() else {
                prop_assert_eq!(drawn.disposal, 3);
                continue;
            };
            prop_assert_eq!((rule.period.months(), rule.period.days()), (drawn.months, drawn.days));
            prop_assert_eq!(rule.limit == Limit::Maximum, drawn.maximum);
            prop_assert_eq!(rule.gate, Gate::ALL[drawn.gate]);
            prop_assert_eq!(rule.disposal.name(), ["flag", "delete", "anonymise"][usize::from(drawn.disposal)]);
            if let Disposal::Anonymise(columns) = &rule.disposal {
                prop_assert_eq!(columns.len(), 2);
            }
            match (&rule.trigger, &drawn.trigger) {
                (Trigger::Fixed(read), DrawnTrigger::Fixed(date)) => prop_assert_eq!(read, date),
                (Trigger::Columns(read), DrawnTrigger::Columns(columns)) => {
                    let read: Vec<bool> = read.iter().map(|source| source.when.is_some()).collect();
                    let columns: Vec<bool> = columns.iter().map(Option::is_some).collect();
                    prop_assert_eq!(read, columns);
                }
                _ => prop_assert!(false, "another sort of trigger"),
            }
        }
        // The same in another layout means the same; another period does not.
        let other = read(&print(&classes, false));
        prop_assert_eq!(other.digest(), read_plain.digest());
        let mut longer = classes.clone();
        longer[0].months += 1;
        let changed = read(&print(&longer, true));
        prop_assert_eq!(changed.digest() == read_plain.digest(), classes[0].disposal == 3);
    }
}
