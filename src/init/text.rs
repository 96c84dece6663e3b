//! The draft as the text of a `retention.toml`: comments for the people who will decide, and
//! nothing decided.
//!
//! Whatever comes from the database enters the text through [`quoted`], [`key`] or a comment;
//! no name has a line's end in it ([`Ident`]).

use std::fmt::Write;

use super::{Candidate, Date, Draft, LeftOut, Likely, Why};
use crate::catalog::OnDelete;
use crate::ident::{Ident, TableName};
use crate::personal::{Certainty, Finding, Proposal, propose};

/// Six years: the usual limitation period for claims in England (Limitation Act 1980, s 2 and 5).
const PERIOD: &str = "6 years";

const OPENING: &str = r##"# A first retention schedule, proposed by `retentiond init`
#
# It is a beginning and decides nothing. Every class below has `disposal = "flag"`: records
# past their period are listed, and no record is touched, until a person changes that.
# Columns were judged by their names and types alone; no record was read.
#
# What is yours to do, class by class:
#   - is it right that these are records, and what are they called?      title
#   - from which date is their period counted, and how long is it?       trigger, period
#   - which document orders it?                                          authority
#   - what happens then: "delete", "anonymise", "flag" or "retain"?      disposal
# Delete a class that is none. What begins with PLACEHOLDER was written by no person.
# Lines such as `# [class.anonymise]` are proposals: take the # away to use them.
#
# `retentiond check` tells what does not fit and what no class claims, `retentiond plan` how
# many records there are and how many would be due. Neither changes anything.
"##;

impl Draft<'_> {
    /// The text of the file. The same for the same catalogue.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = OPENING.to_owned();
        text.push_str(
            "\n[schedule]\n\
             organisation = \"PLACEHOLDER: the name of your organisation\"\n\
             time_zone = \"Europe/London\"             # PLACEHOLDER: where your days begin and end\n\
             every = \"0 0 2 * * *\"                   # second, minute, hour, day, month, weekday: at two each night\n",
        );
        for candidate in &self.classes {
            self.class(&mut text, candidate);
        }
        if let Some(kept) = &self.kept {
            self.kept(&mut text, kept);
        }
        self.left_out(&mut text);
        text
    }

    fn class(&self, text: &mut String, candidate: &Candidate<'_>) {
        let table = candidate.table;
        self.heading(text, candidate);
        let _ = writeln!(text, "\n[[class]]\nid = {}", quoted(candidate.id.as_str()));
        let _ = writeln!(
            text,
            "title = {}",
            quoted(&format!(
                "PLACEHOLDER: what the records in {} are",
                short(&table.name)
            ))
        );
        let _ = writeln!(text, "table = {}", quoted(&short(&table.name)));
        let Some((trigger, others)) = candidate.dates.ranked.split_first() else {
            return;
        };
        triggers(text, candidate, trigger, others);
        let _ = writeln!(
            text,
            "period = {:<32} # PLACEHOLDER: the usual limitation period in England",
            quoted(PERIOD)
        );
        text.push_str("disposal = \"flag\"\n");
        text.push_str("authority = \"PLACEHOLDER: the document that orders it\"\n");
        self.hanging(text, candidate);
        self.anonymise(text, candidate, Some(&trigger.column));
    }

    /// A schedule without a class is none, and this one keeps what is kept anyway.
    fn kept(&self, text: &mut String, candidate: &Candidate<'_>) {
        let table = candidate.table;
        self.heading(text, candidate);
        comment(
            text,
            "No table could be proposed with a date to count from, and a schedule needs a class. \
             So this one only says what is so already: these records are kept. It touches nothing. \
             Replace it once one of the tables below can be counted from a date.",
        );
        let _ = writeln!(
            text,
            "\n[[class]]\nid = {}\ntitle = {}\ntable = {}\ndisposal = \"retain\"",
            quoted(candidate.id.as_str()),
            quoted(&format!(
                "PLACEHOLDER: what the records in {} are",
                short(&table.name)
            )),
            quoted(&short(&table.name)),
        );
        text.push_str("owner = \"PLACEHOLDER: who answers for it\"\n");
        text.push_str("reason = \"PLACEHOLDER: nobody has decided yet how long it is kept\"\n");
        text.push_str("authority = \"PLACEHOLDER: the document that orders it\"\n");
        self.hanging(text, candidate);
        self.anonymise(text, candidate, None);
    }

    fn heading(&self, text: &mut String, candidate: &Candidate<'_>) {
        let _ = writeln!(text, "\n\n# {}\n#", "-".repeat(88));
        let _ = writeln!(text, "# Table {}", short(&candidate.table.name));
        let likely = seen(&candidate.findings, Certainty::Likely);
        if likely.is_empty() {
            comment(
                text,
                "Proposed for its dates; nothing in it looks personal for certain.",
            );
        } else {
            comment(text, &format!("Looks personal: {}.", likely.join(", ")));
        }
        for pair in &candidate.polymorphic {
            comment(
                text,
                &format!(
                    "`{0}` and `{1}` seem to refer to rows of several tables. They go with a record \
                     of one of those where that class says so: dependants = [{{ table = {2}, on = {3}, \
                     where = \"{4} = '…'\" }}].",
                    pair.kind,
                    pair.id,
                    quoted(&short(&candidate.table.name)),
                    quoted(&format!("{} = id", pair.id.written())),
                    // Inside the quotes of the schedule.
                    within(&pair.kind.written()),
                ),
            );
        }
        for key in self.catalog.outbound(&candidate.table.name) {
            if key.to != key.from {
                comment(
                    text,
                    &format!(
                        "Refers to {} by {} (a declared foreign key{}).",
                        short(&key.to),
                        listed(&key.from_columns),
                        match key.on_delete {
                            OnDelete::Cascade =>
                                ", ON DELETE CASCADE: the database deletes these rows with it",
                            OnDelete::Set => ", ON DELETE SET NULL: these rows stay and lose it",
                            OnDelete::NoAction => "",
                        }
                    ),
                );
            }
        }
    }

    /// What would go with a record, for the day on which one is deleted.
    fn hanging(&self, text: &mut String, candidate: &Candidate<'_>) {
        let itself = self
            .catalog
            .inbound(&candidate.table.name)
            .find(|key| key.from == key.to);
        if candidate.dependants.is_empty() && candidate.likely.is_empty() && itself.is_none() {
            return;
        }
        text.push_str("#\n");
        if let Some(key) = itself {
            comment(
                text,
                &format!(
                    "Its rows refer to each other, by {}.",
                    listed(&key.from_columns)
                ),
            );
        }
        if !candidate.dependants.is_empty() {
            comment(
                text,
                "What refers to it, and so goes with a record or lets go of it when one is deleted. \
                 (A class that only flags has no dependants.)",
            );
            text.push_str("# dependants = [\n");
            for dependant in &candidate.dependants {
                let entry = if dependant.unlink {
                    format!(
                        "{{ table = {}, action = \"unlink\" }},",
                        quoted(&short(&dependant.table))
                    )
                } else {
                    format!("{},", quoted(&short(&dependant.table)))
                };
                let does = match dependant.on_delete {
                    OnDelete::Cascade => ", ON DELETE CASCADE",
                    OnDelete::Set => ", ON DELETE SET NULL",
                    OnDelete::NoAction => "",
                };
                let keyless = if dependant.keyless {
                    "; it needs a primary key first"
                } else {
                    ""
                };
                let _ = writeln!(
                    text,
                    "#     {entry:<44} # refers to {}{does}{keyless}",
                    short(&dependant.by.0)
                );
            }
            text.push_str("# ]\n");
        }
        if !candidate.likely.is_empty() {
            comment(
                text,
                "What seems to refer to it by a column's name, though the database declares no foreign \
                 key. Where that is so, the entries belong into `dependants` as well:",
            );
            for likely in &candidate.likely {
                let _ = writeln!(text, "#     {}", undeclared(likely));
            }
        }
    }

    fn anonymise(&self, text: &mut String, candidate: &Candidate<'_>, trigger: Option<&Ident>) {
        let mut lines = Vec::new();
        let mut not = Vec::new();
        for finding in &candidate.findings {
            let name = &finding.column.name;
            if Some(name) == trigger {
                continue;
            }
            // Such a name would be read as a path into a JSON column.
            if name.as_str().contains('.') {
                not.push(format!("`{name}` (its name has a dot in it)"));
                continue;
            }
            match propose(finding, candidate.table, self.catalog) {
                Proposal::With(strategy) => lines.push((
                    format!("{} = \"{}\"", key(name), strategy.name()),
                    remark(finding),
                )),
                Proposal::Not(why) => {
                    not.push(format!("`{name}`, {} ({why})", finding.what.words()))
                }
            }
        }
        if lines.is_empty() && not.is_empty() {
            return;
        }
        text.push_str("#\n");
        if !lines.is_empty() {
            comment(
                text,
                "To take the person out of a record and keep the rest: `disposal = \"anonymise\"`, and",
            );
            text.push_str("# [class.anonymise]\n");
            for (line, remark) in lines {
                let _ = writeln!(text, "# {line:<36} # {remark}");
            }
        }
        if !not.is_empty() {
            comment(text, &format!("No strategy fits: {}.", not.join("; ")));
        }
    }

    fn left_out(&self, text: &mut String) {
        if self.left_out.is_empty() {
            return;
        }
        let _ = writeln!(
            text,
            "\n\n# {}\n#\n# Tables that are not proposed, and why",
            "-".repeat(88)
        );
        let mut reasons: Vec<Why> = self.left_out.iter().map(|left| left.why).collect();
        reasons.sort_unstable();
        reasons.dedup();
        for why in reasons {
            text.push_str("#\n");
            let hint = match why {
                Why::NotPersonal => " (`retentiond init --tables NAME` proposes one all the same)",
                Why::EpochDates => " (the key `unit`)",
                _ => "",
            };
            comment(text, &format!("{}{hint}:", sentence(why.words())));
            let of_these = self.left_out.iter().filter(|left| left.why == why);
            if matches!(why, Why::NotPersonal | Why::Nothing) {
                let names: Vec<String> = of_these.map(|left| short(&left.table.name)).collect();
                indented(text, (5, 5), &names.join(", "));
                continue;
            }
            for left in of_these {
                indented(
                    text,
                    (5, 9),
                    &format!("{}{}", short(&left.table.name), details(left)),
                );
            }
        }
    }
}

fn triggers(text: &mut String, candidate: &Candidate<'_>, trigger: &Date, others: &[Date]) {
    let open = if trigger.nullable {
        "; a record without it is never due"
    } else {
        ""
    };
    let _ = writeln!(
        text,
        "trigger = {:<31} # {}{open}",
        quoted(trigger.column.as_str()),
        trigger.meaning.words()
    );
    let mut alternatives: Vec<String> = others
        .iter()
        .map(|date| format!("`{}` ({})", date.column, date.meaning.words()))
        .collect();
    for (column, reason) in &candidate.dates.unsuited {
        alternatives.push(format!("not `{column}`: {reason}"));
    }
    for column in &candidate.dates.epochs {
        alternatives.push(format!(
            "not `{column}`: a number, seconds since 1970 by its name, which is not supported yet (the key `unit`)"
        ));
    }
    if !alternatives.is_empty() {
        comment(text, &format!("Other dates: {}.", alternatives.join("; ")));
    }
    if trigger.naive {
        comment(
            text,
            "It has no time zone, and is read in the schedule's. Where the application writes another:",
        );
        text.push_str("# trigger_zone = \"UTC\"\n");
    }
    let changed: Vec<String> = others
        .iter()
        .filter(|date| matches!(date.meaning, super::Meaning::Changed | super::Meaning::Used))
        .map(|date| quoted(date.column.as_str()))
        .collect();
    if !changed.is_empty() {
        comment(
            text,
            "So that a record which was touched after that date is shown and not disposed of:",
        );
        let _ = writeln!(text, "# unless_active = [{}]", changed.join(", "));
    }
}

fn undeclared(likely: &Likely) -> String {
    format!(
        "{{ table = {}, on = {} }},",
        quoted(&short(&likely.from)),
        // The relation is read as PostgreSQL reads names.
        quoted(&format!(
            "{} = {}",
            likely.column.written(),
            likely.key.written()
        ))
    )
}

fn seen(findings: &[Finding<'_>], certainty: Certainty) -> Vec<String> {
    findings
        .iter()
        .filter(|finding| finding.certainty == certainty)
        .map(|finding| format!("`{}` ({})", finding.column.name, finding.what.words()))
        .collect()
}

fn remark(finding: &Finding<'_>) -> String {
    let certainty = match finding.certainty {
        Certainty::Likely => "",
        Certainty::Possible => "perhaps ",
    };
    let because = match finding.because.as_str() {
        "by its name" => "",
        other => other,
    };
    let comma = if because.is_empty() { "" } else { ", " };
    let keep = if finding.what == crate::personal::What::Characteristic {
        " (or leave it, for statistics)"
    } else {
        ""
    };
    format!("{certainty}{}{comma}{because}{keep}", finding.what.words())
}

fn details(left: &LeftOut<'_>) -> String {
    let mut parts = Vec::new();
    let likely: Vec<Ident> = left
        .findings
        .iter()
        .filter(|finding| finding.certainty == Certainty::Likely)
        .map(|finding| finding.column.name.clone())
        .collect();
    if !likely.is_empty() {
        parts.push(format!("looks personal by {}", listed(&likely)));
    }
    if left.why == Why::EpochDates || left.why == Why::NoDate {
        let unsuited = left.dates.unsuited.iter();
        parts.extend(unsuited.map(|(column, reason)| format!("`{column}` is {reason}")));
        if !left.dates.epochs.is_empty() {
            parts.push(format!("dated by {}", listed(&left.dates.epochs)));
        }
    } else if let Some(date) = left.dates.ranked.first() {
        parts.push(format!("dated by `{}`", date.column));
    }
    if parts.is_empty() {
        String::new()
    } else {
        format!(": {}", parts.join("; "))
    }
}

fn listed(columns: &[Ident]) -> String {
    columns
        .iter()
        .map(|column| format!("`{column}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Prose as lines that begin with `#`.
fn comment(text: &mut String, prose: &str) {
    indented(text, (1, 1), prose);
}

/// The same, so far in; what does not fit on a line goes on so far in.
fn indented(text: &mut String, (indent, further): (usize, usize), prose: &str) {
    let mut line = format!("#{}", " ".repeat(indent));
    let mut empty = true;
    for word in prose.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > 92 && !empty {
            text.push_str(&line);
            text.push('\n');
            line = format!("#{}", " ".repeat(further));
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    text.push_str(&line);
    text.push('\n');
}

fn sentence(words: &str) -> String {
    let mut characters = words.chars();
    characters
        .next()
        .map(|first| first.to_uppercase().chain(characters).collect())
        .unwrap_or_default()
}

/// As the schedule writes a table: without its schema where that is `public`.
fn short(table: &TableName) -> String {
    if table.schema().as_str() == "public" {
        table.name().to_string()
    } else {
        table.to_string()
    }
}

/// A text as TOML.
fn quoted(text: &str) -> String {
    format!("\"{}\"", within(text))
}

/// A text inside the quotes of one of TOML's.
fn within(text: &str) -> String {
    let mut within = String::new();
    for character in text.chars() {
        match character {
            '"' => within.push_str("\\\""),
            '\\' => within.push_str("\\\\"),
            other => within.push(other),
        }
    }
    within
}

/// A column's name as a key of a TOML table.
fn key(name: &Ident) -> String {
    let bare = name
        .as_str()
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare {
        name.to_string()
    } else {
        quoted(name.as_str())
    }
}
