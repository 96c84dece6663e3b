//! What is done to a record before its class's own disposal: stages, and notice.

use chrono::NaiveDate;
use toml::de::DeValue;

use super::{Fields, Reader, Value, keys};
use crate::schedule::class::{Class, Disposal, Dispose, Stage};
use crate::schedule::diagnostics::{Code, Diagnostic};

/// The disposals that a stage may have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Flag,
    Anonymise,
}

const KINDS: [(&str, Kind); 2] = [("flag", Kind::Flag), ("anonymise", Kind::Anonymise)];

/// A day from which four years hold every sort of month and year.
const FOUR_YEARS: Option<NaiveDate> = NaiveDate::from_ymd_opt(2024, 1, 1);

impl Reader<'_> {
    pub(super) fn stages(&mut self, value: &Value<'_>) -> Option<Vec<Stage>> {
        let entries = self.array(value, "stages", "a list of tables")?;
        let stages: Vec<Option<Stage>> = entries.iter().map(|entry| self.stage(entry)).collect();
        stages.into_iter().collect()
    }

    fn stage(&mut self, entry: &Value<'_>) -> Option<Stage> {
        let place = self.place_of(entry);
        let DeValue::Table(table) = entry.get_ref() else {
            self.wrong_type("stages", "a list of tables with after and disposal", entry);
            return None;
        };
        let fields = self.fields(table, &keys::STAGE, place);
        let after = match fields.get("after") {
            Some(value) => self.period(value, "after"),
            None => {
                self.missing(&fields, "after");
                None
            }
        };
        let kind = match fields.get("disposal") {
            Some(value) if value.get_ref().as_str() == Some("delete") => {
                let place = self.place_of(value);
                self.contradiction(
                    "a stage cannot delete: nothing is left for what follows".to_owned(),
                    "write the deletion as the class's own period and disposal",
                    place,
                );
                None
            }
            Some(value) => self.word(value, "disposal", &KINDS),
            None => {
                self.missing(&fields, "disposal");
                None
            }
        };
        let columns = fields
            .get("anonymise")
            .map(|value| (value, self.anonymise(value)));
        let disposal = match (kind?, columns) {
            (Kind::Anonymise, Some((_, columns))) => Disposal::Anonymise(columns?),
            (Kind::Anonymise, None) => {
                self.missing_from(&fields, "a stage that anonymises", "anonymise");
                return None;
            }
            (Kind::Flag, None) => Disposal::Flag,
            (Kind::Flag, Some((value, _))) => {
                let place = self.place_of(value);
                self.contradiction(
                    "`anonymise` has columns, but the stage only flags".to_owned(),
                    "write `disposal = \"anonymise\"`, or leave the columns out",
                    place,
                );
                return None;
            }
        };
        Some(Stage {
            after: after?,
            disposal,
        })
    }

    #[expect(clippy::option_option, reason = "absent and wrong are different")]
    pub(super) fn notice(
        &mut self,
        fields: &Fields<'_, '_>,
        only_flags: bool,
    ) -> Option<Option<u32>> {
        let Some(value) = fields.get("notice") else {
            return Some(None);
        };
        let days = self.days(value, "notice")?;
        let (message, hint) = if only_flags {
            (
                "`notice` has no place in a class that only flags",
                "the flag is its disposal: leave it out",
            )
        } else if days == 0 {
            ("a notice of no days is none", "leave it out")
        } else {
            return Some(Some(days));
        };
        let place = self.place_of(value);
        self.contradiction(message.to_owned(), hint, place);
        None
    }

    /// Each step comes later than the one before it, whatever the trigger, and is no milder.
    pub(super) fn stages_agree(&mut self, class: &Class, dispose: &Dispose) -> bool {
        let steps = dispose.steps();
        let days: Vec<NaiveDate> = FOUR_YEARS
            .into_iter()
            .flat_map(|first| first.iter_days().take(1461))
            .collect();
        let mut fits = true;
        for (nth, pair) in steps.windows(2).enumerate() {
            let [step, next] = pair else { continue };
            let name = if nth + 2 == steps.len() {
                "the class's own disposal".to_owned()
            } else {
                format!("stage {}", nth + 2)
            };
            let fault = if !days
                .iter()
                .all(|day| step.last_day(*day) < next.last_day(*day))
            {
                Some((
                    format!("stage {} does not come before {name}", nth + 1),
                    "order the stages by their periods, each longer than the one before",
                ))
            } else if step.disposal.severity() > next.disposal.severity() {
                Some((
                    format!(
                        "stage {} ({}) is severer than {name} ({})",
                        nth + 1,
                        step.disposal.name(),
                        next.disposal.name()
                    ),
                    "flag before you anonymise, and anonymise before you delete",
                ))
            } else {
                None
            };
            if let Some((message, hint)) = fault {
                fits = false;
                self.report(
                    Diagnostic::new(Code::Contradiction, message)
                        .hint(hint)
                        .at(*class.place("stages")),
                );
            }
        }
        fits
    }
}
