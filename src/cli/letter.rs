//! The letter that tells a processor to destroy what it holds. It is made from what was recorded
//! when the instruction was issued, and from nothing else, so that the same letter can be printed
//! again years later.

use std::fmt::Write;

use chrono::NaiveDate;
use serde_json::{Value, json};

use crate::survey::ProcessorOrder;

/// What the confirmation has to say.
const CONFIRM: [&str; 4] = [
    "that all of the data named above is destroyed, on which day, and by what means;",
    "that this includes copies, extracts and backups, and whatever others hold on your behalf; where a backup \
     cannot be changed, the day by which it will have been overwritten;",
    "whether any part of it is kept because the law obliges you to: if so, which part, under which provision \
     and until when;",
    "the name and position of whoever confirms it, and the reference given above.",
];

fn day(date: NaiveDate) -> String {
    date.format("%-d %B %Y").to_string()
}

/// Why it ends now.
fn why(order: &ProcessorOrder) -> String {
    match (order.trigger, order.last_day, &order.period) {
        (Some(trigger), Some(last_day), Some(period)) => format!(
            "It is kept for {period}, counted from {}. The last day of that period is {}.",
            day(trigger),
            day(last_day)
        ),
        (Some(_), Some(last_day), None) => {
            format!("The last day of its retention is {}.", day(last_day))
        }
        _ => {
            "It is kept until the controller instructs that it be destroyed, and that is done now."
                .to_owned()
        }
    }
}

/// The letter.
#[must_use]
pub(super) fn text(order: &ProcessorOrder) -> String {
    let mut letter = String::new();
    let schedule = hex::encode(&order.schedule);
    let mut write = |text: &str| {
        let _ = writeln!(letter, "{text}\n");
    };
    write(&order.organisation);
    write(&format!("To: {}", order.processor));
    write(&format!(
        "Date: {}\nOur reference: {}",
        day(order.issued_on),
        order.reference()
    ));
    write("INSTRUCTION TO DESTROY PERSONAL DATA");
    write("Dear Sir or Madam,");
    write(&wrapped(&format!(
        "{} is the controller of the following personal data, which you hold on its behalf:",
        order.organisation
    )));
    write(&format!(
        "    {}",
        wrapped(&order.title).replace('\n', "\n    ")
    ));
    write(&wrapped(&why(order)));
    write(&wrapped(
        "We instruct you to destroy this data, securely and without delay, wherever you or anybody acting for you \
         holds it, so that it cannot be recovered.",
    ));
    let mut authority = format!("Authority: {}", order.authority);
    let _ = write!(authority, "\nRetention schedule: version sha256:{schedule}");
    if let Some((number, by, reference)) = &order.instruction {
        let _ = write!(authority, "\nThe controller's instruction: number {number}");
        if let (Some(by), Some(reference)) = (by, reference) {
            let _ = write!(authority, ", given by {by}, {reference}");
        }
    }
    write(&authority);
    write(&wrapped(&format!(
        "Please confirm to us in writing, to reach us by {}. Your confirmation has to say",
        day(order.answer_by)
    )));
    for (nth, point) in CONFIRM.iter().enumerate() {
        let point = wrapped(&format!("{}. {point}", nth + 1));
        write(&point.replace('\n', "\n   "));
    }
    write("Yours faithfully,");
    if let Some(owner) = &order.owner {
        write(owner);
    }
    write(&format!("for {}", order.organisation));
    let mut letter = letter.trim_end().to_owned();
    letter.push('\n');
    letter
}

/// In lines of at most 76 characters, unless a word is longer.
fn wrapped(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= 76 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

/// The same for a program at the other end.
pub(super) fn to_json(order: &ProcessorOrder) -> Value {
    let instruction = order.instruction.as_ref().map(|(number, by, reference)| {
        json!({ "instruction": number, "given_by": by, "reference": reference })
    });
    json!({
        "reference": order.reference(),
        "class": order.class,
        "action": "destroy",
        "controller": order.organisation,
        "owner": order.owner,
        "processor": order.processor,
        "title": order.title,
        "authority": order.authority,
        "trigger": order.trigger,
        "period": order.period,
        "last_day": order.last_day,
        "schedule": format!("sha256:{}", hex::encode(&order.schedule)),
        "instruction": instruction,
        "issued_on": order.issued_on,
        "answer_by": order.answer_by,
        "confirmation_says": CONFIRM,
        "superseded": order.is_superseded,
        "confirmed": order.confirmed,
    })
}
