//! The schedule in plain words, for a privacy notice: as Markdown, and as a page.
//!
//! Made from the same file that is enforced, and from nothing else: no date and no
//! version of the program stands in it, so that a published page can be compared with the
//! file years later. What only the database knows (columns' names) is put into words as
//! far as a name goes.

use std::fmt::Write;

use crate::ident::{TableName, escape_html};

use super::{
    Class, Disposal, Dispose, Erasure, Fate, Gate, Limit, ProcessorClass, Rule, Schedule, Trigger,
};

/// A class's rule in a sentence: how long, counted from what, and what happens then.
#[must_use]
pub fn rule_in_words(class: &Class) -> String {
    let words = Words::of(class);
    if words.counted_from.is_empty() {
        return words.kept;
    }
    let (from, then) = (
        uncapitalised(&words.counted_from),
        uncapitalised(&words.then),
    );
    format!("{} from {from}. Then: {then}.", words.kept)
}

fn uncapitalised(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => String::new(),
    }
}

/// One class as a reader of the notice needs it.
struct Words {
    title: String,
    kept: String,
    counted_from: String,
    then: String,
    authority: String,
    lawful_basis: String,
}

impl Words {
    fn of(class: &Class) -> Self {
        let (kept, counted_from, then) = match class.rule() {
            Rule::Retain { reason, .. } => (
                format!(
                    "Kept; not under a period of this schedule. {}",
                    ended(reason)
                ),
                String::new(),
                "Nothing".to_owned(),
            ),
            Rule::Dispose(dispose) => {
                let period = dispose.period.to_string();
                let mut kept = match dispose.limit {
                    Limit::Minimum => sentence(&period),
                    Limit::Maximum => format!("At most {period}"),
                };
                let mut then = String::new();
                for stage in &dispose.stages {
                    let _ = write!(
                        then,
                        "After {}: {}. Then: ",
                        stage.after,
                        done_in_words(&stage.disposal)
                    );
                }
                then.push_str(done_in_words(&dispose.disposal));
                let mut then = sentence(&then);
                let mut with: Vec<String> = Vec::new();
                for dependant in &dispose.dependants {
                    let words = if &dependant.table == class.table() {
                        "what answers it".to_owned()
                    } else {
                        spoken(dependant.table.name().as_str())
                    };
                    if dependant.fate == Fate::Delete && !with.contains(&words) {
                        with.push(words);
                    }
                }
                if !with.is_empty() {
                    let _ = write!(
                        then,
                        ", together with what belongs to it ({})",
                        listed(&with, "and")
                    );
                }
                if !dispose.files.is_empty() {
                    then.push_str(", and its files");
                }
                match dispose.gate {
                    Gate::None => {}
                    Gate::Review if dispose.approvals > 1 => {
                        let _ =
                            write!(then, ", once {} people have reviewed it", dispose.approvals);
                    }
                    Gate::Review => then.push_str(", once a person has reviewed it"),
                    Gate::Instruction => then.push_str(", once the controller has instructed it"),
                }
                if let Some(days) = dispose.notice {
                    let _ = write!(then, ", with {days} days' notice");
                }
                if dispose.erasure == Erasure::Secure {
                    then.push_str(", so that nothing of it is left in the database's files");
                }
                if !dispose.erasure_right {
                    then.push_str(", and no sooner where a person asks for it");
                }
                if !dispose.unless_active.is_empty() {
                    then.push_str(", unless somebody has worked with it since");
                }
                if let Some(or_when) = &dispose.or_when {
                    // Words for everybody: the columns' names without their quotes.
                    let text = or_when.text().replace('"', "");
                    let bare = text.strip_prefix('(').and_then(|t| t.strip_suffix(')'));
                    let _ = write!(kept, "; not at all where {}", bare.unwrap_or(&text));
                }
                (kept, counted_from(dispose), then)
            }
        };
        Self {
            title: class.title().to_owned(),
            kept,
            counted_from,
            then,
            authority: class.authority().to_owned(),
            lawful_basis: class.lawful_basis().unwrap_or_default().to_owned(),
        }
    }

    /// What somebody else holds for the organisation.
    fn of_processor(class: &ProcessorClass) -> Self {
        let (kept, counted_from) = match class.term() {
            Some(term) => {
                let period = term.period.to_string();
                let kept = match term.limit {
                    Limit::Minimum => sentence(&period),
                    Limit::Maximum => format!("At most {period}"),
                };
                (kept, term.trigger.format("%-d %B %Y").to_string())
            }
            None => ("Until the controller instructs".to_owned(), String::new()),
        };
        let instructed = match (class.gate(), class.term()) {
            (Gate::Instruction, Some(_)) => ", once the controller has instructed it",
            _ => "",
        };
        Self {
            title: format!("{} (held by {})", class.title(), class.processor()),
            kept,
            counted_from,
            then: format!(
                "Destroyed by {}, which confirms it{instructed}",
                class.processor()
            ),
            authority: class.authority().to_owned(),
            lawful_basis: class.lawful_basis().unwrap_or_default().to_owned(),
        }
    }

    /// Every class of a schedule, those of processors last.
    fn all(schedule: &Schedule) -> impl Iterator<Item = Self> {
        let processors = schedule.processors().iter().map(Self::of_processor);
        schedule.classes().iter().map(Self::of).chain(processors)
    }

    fn cells(&self) -> [&str; 6] {
        [
            &self.title,
            &self.kept,
            &self.counted_from,
            &self.then,
            &self.lawful_basis,
            &self.authority,
        ]
    }
}

fn done_in_words(disposal: &Disposal) -> &'static str {
    match disposal {
        Disposal::Delete => "deleted",
        Disposal::Anonymise(_) => "made anonymous, so that nobody can be identified",
        Disposal::Flag => "listed, for a person to decide",
    }
}

const HEADINGS: [&str; 6] = [
    "What",
    "How long",
    "Counted from",
    "What happens then",
    "Lawful basis",
    "Laid down in",
];

const COUNTING: [&str; 3] = [
    "A period of months or years ends on the corresponding date: six months from 31 August end on 28 February, or on 29 February in a leap year.",
    "The day that a period is counted from does not count itself. A record is kept through the last day of its period.",
    "Where a period is a maximum, the record is gone before the period ends.",
];

fn introduction(schedule: &Schedule) -> String {
    format!(
        "How long {} keeps personal data, and what happens to it then. Days begin and end at midnight, {} time.",
        schedule.organisation(),
        schedule.time_zone().name()
    )
}

/// The schedule as Markdown. The same schedule gives the same bytes.
#[must_use]
pub fn markdown(schedule: &Schedule) -> String {
    let mut text = format!(
        "# Retention schedule\n\n{}\n\n",
        escape_markdown(&introduction(schedule))
    );
    let _ = writeln!(text, "| {} |", HEADINGS.join(" | "));
    let _ = writeln!(text, "|{}", " --- |".repeat(HEADINGS.len()));
    for words in Words::all(schedule) {
        let cells: Vec<String> = words
            .cells()
            .iter()
            .map(|cell| escape_markdown(cell))
            .collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text.push_str("\n## How time is counted\n\n");
    for line in COUNTING {
        let _ = writeln!(text, "- {}", escape_markdown(line));
    }
    text
}

/// The schedule as a page that stands by itself and can be read aloud by a screen reader:
/// a language, one heading, a table with a caption and headings of rows and columns.
#[must_use]
pub fn html(schedule: &Schedule) -> String {
    let organisation = escape_html(schedule.organisation());
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en-GB\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Retention schedule: {organisation}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>Retention schedule</h1>\n<p>{}</p>\n<div class=\"wide\" role=\"region\" aria-labelledby=\"periods\" tabindex=\"0\">\n<table>\n\
         <caption id=\"periods\">What is kept, how long, and what happens then</caption>\n<thead>\n<tr>",
        escape_html(&introduction(schedule))
    );
    for heading in HEADINGS {
        let _ = write!(page, "<th scope=\"col\">{heading}</th>");
    }
    page.push_str("</tr>\n</thead>\n<tbody>\n");
    for words in Words::all(schedule) {
        let [title, rest @ ..] = words.cells();
        let _ = write!(page, "<tr><th scope=\"row\">{}</th>", escape_html(title));
        for cell in rest {
            let _ = write!(page, "<td>{}</td>", escape_html(cell));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody>\n</table>\n</div>\n<h2>How time is counted</h2>\n<ul>\n");
    for line in COUNTING {
        let _ = writeln!(page, "<li>{}</li>", escape_html(line));
    }
    page.push_str("</ul>\n</main>\n</body>\n</html>\n");
    page
}

const STYLE: &str = "\
body { font: 1rem/1.5 system-ui, sans-serif; color: #111; background: #fff; margin: 2rem auto; max-width: 80rem; padding: 0 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; font-weight: bold; padding: .5rem 0; }
th, td { border: 1px solid #767676; padding: .5rem; text-align: left; vertical-align: top; }
thead th { background: #eee; }
@media print { body { margin: 0; max-width: none; } thead { display: table-header-group; } tr { break-inside: avoid; } }
";

fn counted_from(dispose: &Dispose) -> String {
    let day = trigger_in_words(&dispose.trigger);
    match dispose.from_end_of {
        Some(end_of) => format!("The end of the {} of: {day}", end_of.name()),
        None => sentence(&day),
    }
}

fn trigger_in_words(trigger: &Trigger) -> String {
    match trigger {
        Trigger::Fixed(date) => date.format("%-d %B %Y").to_string(),
        Trigger::Columns(columns) => {
            let names: Vec<String> = columns
                .iter()
                .map(|source| event(source.column.as_str(), source.related.as_ref()))
                .collect();
            match &names[..] {
                [one] => one.clone(),
                many => format!("the first that applies: {}", listed(many, "or")),
            }
        }
    }
}

/// `closed_at` and `closed_on` are the day when something was closed; `case.closed_at` when
/// its case was.
fn event(column: &str, related: Option<&TableName>) -> String {
    let bare = ["_at", "_on", "_date", "_time"]
        .iter()
        .find_map(|suffix| column.strip_suffix(suffix))
        .unwrap_or(column);
    let words = spoken(bare);
    let related = related.map(|table| spoken(table.name().as_str()));
    match (bare == column, related) {
        (true, None) => format!("the date “{words}”"),
        (true, Some(related)) => format!("the date “{words}” of its {related}"),
        (false, None) => format!("the day it was {words}"),
        (false, Some(related)) => format!("the day its {related} was {words}"),
    }
}

fn spoken(name: &str) -> String {
    name.replace('_', " ")
}

fn listed(items: &[String], and: &str) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} {and} {last}", most.join(", ")),
    }
}

fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}

fn ended(text: &str) -> String {
    let text = sentence(text.trim());
    if text.ends_with(['.', '!', '?']) {
        text
    } else {
        text + "."
    }
}

/// A cell of a table must not end it, start a tag, or be read as formatting.
fn escape_markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '#' => {
                escaped.push('\\');
                escaped.push(character);
            }
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\n' | '\r' => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn schedule(class: &str) -> Schedule {
        let text = format!(
            "[schedule]\norganisation = \"A <b> & Sons\"\ntime_zone = \"Europe/London\"\nevery = \"0 0 2 * * *\"\n{class}"
        );
        super::super::parse(&text, "retention.toml").unwrap()
    }

    #[test]
    fn each_rule_is_said_in_words() {
        let schedule = schedule(
            "[[class]]\nid = \"a\"\ntitle = \"Letters | notes\"\ntable = \"letter\"\n\
             trigger = [\"closed_at\", { column = \"received_on\", when = \"case_id IS NULL\" }]\n\
             period = \"8 years\"\ndisposal = \"delete\"\ndependants = [\"case_note\"]\nauthority = \"Notice\"\n\
             [[class]]\nid = \"b\"\ntitle = \"Photos\"\ntable = \"media\"\ntrigger = 2021-07-31\nperiod = \"90 days\"\n\
             limit = \"maximum\"\ndisposal = \"delete\"\ngate = \"instruction\"\nauthority = \"Notice\"\n\
             [[class]]\nid = \"c\"\ntitle = \"Opt-outs\"\ntable = \"opt_out\"\ndisposal = \"retain\"\n\
             owner = \"O\"\nreason = \"it must never expire\"\nauthority = \"Notice\"\n",
        );
        let text = markdown(&schedule);
        let rows: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with('|'))
            .skip(2)
            .collect();
        assert_eq!(
            rows,
            [
                "| Letters \\| notes | 8 years | The first that applies: the day it was closed or the day it was received | Deleted, together with what belongs to it (case note) |  | Notice |",
                "| Photos | At most 90 days | 31 July 2021 | Deleted, once the controller has instructed it |  | Notice |",
                "| Opt-outs | Kept; not under a period of this schedule. It must never expire. |  | Nothing |  | Notice |",
            ]
        );
        let page = html(&schedule);
        assert!(page.contains("A &lt;b&gt; &amp; Sons"), "{page}");
        assert!(!page.contains("<b>"));
        assert_eq!(page.matches("<th scope=\"row\">").count(), 3);
        assert_eq!(page.matches("<td>").count(), 15);
    }

    #[test]
    fn a_rounded_trigger_and_a_guard_are_said_too() {
        let schedule = schedule(
            "[[class]]\nid = \"a\"\ntitle = \"Files\"\ntable = \"file\"\ntrigger = \"closed_on\"\n\
             from_end_of = \"financial year\"\nperiod = \"6 years\"\nunless_active = [\"read_on\"]\n\
             disposal = \"delete\"\nauthority = \"Notice\"\n",
        );
        let row = "| Files | 6 years | The end of the financial year of: the day it was closed | \
                   Deleted, unless somebody has worked with it since |  | Notice |";
        assert!(markdown(&schedule).contains(row), "{}", markdown(&schedule));
    }

    #[test]
    fn what_others_hold_comes_last_with_whoever_holds_it() {
        let held = "title = \"Answers\"\nprocessor = \"Example Ltd\"\ndisposal = \"delete\"\nauthority = \"Contract 7\"\n";
        let schedule = schedule(&format!(
            "[[class]]\nid = \"a\"\n{held}trigger = 2024-03-31\nperiod = \"2 years\"\nlimit = \"maximum\"\n\
             [[class]]\nid = \"b\"\n{held}trigger = 2024-03-31\nperiod = \"90 days\"\ngate = \"instruction\"\n\
             [[class]]\nid = \"c\"\n{held}gate = \"instruction\"\n\
             [[class]]\nid = \"d\"\ntitle = \"Opt-outs\"\ntable = \"opt_out\"\ndisposal = \"retain\"\n\
             owner = \"O\"\nreason = \"it must never expire\"\nauthority = \"Notice\"\n",
        ));
        let text = markdown(&schedule);
        let rows: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with('|'))
            .skip(3)
            .collect();
        assert_eq!(
            rows,
            [
                "| Answers (held by Example Ltd) | At most 2 years | 31 March 2024 | Destroyed by Example Ltd, which confirms it |  | Contract 7 |",
                "| Answers (held by Example Ltd) | 90 days | 31 March 2024 | Destroyed by Example Ltd, which confirms it, once the controller has instructed it |  | Contract 7 |",
                "| Answers (held by Example Ltd) | Until the controller instructs |  | Destroyed by Example Ltd, which confirms it |  | Contract 7 |",
            ]
        );
        assert_eq!(html(&schedule).matches("<th scope=\"row\">").count(), 4);
    }

    #[test]
    fn stages_and_notice_are_said_too() {
        let schedule = schedule(
            "[[class]]\nid = \"a\"\ntitle = \"Files\"\ntable = \"file\"\ntrigger = \"closed_on\"\n\
             period = \"7 years\"\nnotice = \"30 days\"\ndisposal = \"delete\"\nauthority = \"Notice\"\n\
             stages = [{ after = \"1 year\", disposal = \"anonymise\", anonymise = { name = \"null\" } }]\n",
        );
        let row = "| Files | 7 years | The day it was closed | After 1 year: made anonymous, so that nobody \
                   can be identified. Then: deleted, with 30 days' notice |  | Notice |";
        assert!(markdown(&schedule).contains(row), "{}", markdown(&schedule));
    }
}
