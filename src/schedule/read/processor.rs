//! A `[[class]]` with `processor` instead of `table`: data that somebody else holds.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::{Fields, Reader, keys};
use crate::ident::ClassId;
use crate::schedule::class::{Gate, Limit};
use crate::schedule::diagnostics::{Code, Diagnostic, Place};
use crate::schedule::digest;
use crate::schedule::processor::{ProcessorClass, Term};

/// The keys that such a class may have. Every other key of a class is about rows.
const OF_A_PROCESSOR: [&str; 13] = [
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

/// Where a processor's data ends without a date.
const ON_INSTRUCTION: &str = "`trigger` and `period`, or `gate = \"instruction\"` without them, to end when the controller says so";

/// The known keys that have no meaning for what a processor holds.
pub(super) fn not_with_processor() -> impl Iterator<Item = &'static str> {
    let known = keys::CLASS.known.iter().copied();
    known.filter(|key| !OF_A_PROCESSOR.contains(key))
}

impl Reader<'_> {
    /// A class whose data a processor holds.
    pub(super) fn processor(
        &mut self,
        fields: &Fields<'_, '_>,
        seen: &mut BTreeMap<ClassId, Place>,
    ) -> Option<ProcessorClass> {
        let mut fits = true;
        for key in not_with_processor() {
            if let Some(value) = fields.get(key) {
                let place = self.place_of(value);
                let hint = match key {
                    "table" => {
                        "data that lies in a table is deleted there: leave one of the two out, or make two classes of it"
                    }
                    _ => "it is about rows, and what a processor holds has none here: leave it out",
                };
                self.not_here(fields, format!("`{key}`"), hint, place);
                fits = false;
            }
        }
        let id = self.class_id(fields, seen);
        let title = self.required_text(fields, "title");
        let processor = self.required_text(fields, "processor");
        let authority = self.required_text(fields, "authority");
        let lawful_basis = self.optional_text(fields, "lawful_basis");
        let owner = self.optional_text(fields, "owner");
        let review_on = match fields.get("review_on") {
            Some(value) => self.day(value, "review_on").map(Some),
            None => Some(None),
        };
        fits &= self.only_deletes(fields);
        let gate = self.gate_of_processor(fields);
        let limit = self.choice(
            fields,
            "limit",
            &Limit::ALL.map(|l| (l.name(), l)),
            Limit::Minimum,
        );
        let tolerance = self.tolerance(fields, limit);
        let term = self.term(fields, limit, gate);
        let class = ProcessorClass {
            id: id?,
            title: title?.0,
            processor: processor?.0,
            term: term?,
            tolerance: tolerance?,
            gate: gate?,
            authority: authority?.0,
            lawful_basis: lawful_basis?,
            owner: owner?,
            review_on: review_on?,
            digest: [0; 32],
            places: self.places(fields),
        };
        fits.then(|| ProcessorClass {
            digest: digest::of_processor(&class),
            ..class
        })
    }

    /// That something has no place in a class with a processor.
    fn not_here(&mut self, fields: &Fields<'_, '_>, what: String, hint: &str, place: Place) {
        self.report(
            Diagnostic::new(
                Code::Contradiction,
                format!("{what} has no place in a class with a processor"),
            )
            .hint(hint)
            .at(place)
            .also(self.value_place(fields, "processor"), "the processor"),
        );
    }

    fn only_deletes(&mut self, fields: &Fields<'_, '_>) -> bool {
        let Some(value) = fields.get("disposal") else {
            self.missing(fields, "disposal");
            return false;
        };
        let words = ["delete", "flag", "anonymise", "retain"].map(|word| (word, word));
        match self.word(value, "disposal", &words) {
            Some("delete") => true,
            Some(other) => {
                let place = self.place_of(value);
                self.not_here(
                    fields,
                    format!("`disposal = \"{other}\"`"),
                    "a processor is told to destroy the data, and nothing else: write \"delete\"",
                    place,
                );
                false
            }
            None => false,
        }
    }

    fn gate_of_processor(&mut self, fields: &Fields<'_, '_>) -> Option<Gate> {
        let words = Gate::ALL.map(|gate| (gate.name(), gate));
        let gate = self.choice(fields, "gate", &words, Gate::None)?;
        if gate == Gate::Review {
            let place = self.value_place(fields, "gate");
            self.not_here(
                fields,
                "`gate = \"review\"`".to_owned(),
                "there are no records here to review: write \"instruction\", so that the controller decides about all of it",
                place,
            );
            return None;
        }
        Some(gate)
    }

    /// The date and the period; both or, behind an instruction, neither.
    fn term(
        &mut self,
        fields: &Fields<'_, '_>,
        limit: Option<Limit>,
        gate: Option<Gate>,
    ) -> Option<Option<Term>> {
        let (trigger, period) = (fields.get("trigger"), fields.get("period"));
        if trigger.is_none() && period.is_none() {
            if gate == Some(Gate::None) {
                self.report(
                    Diagnostic::new(
                        Code::MissingKey,
                        "a class with a processor needs to know when its data ends",
                    )
                    .hint(format!("write {ON_INSTRUCTION}"))
                    .at(fields.place),
                );
                return None;
            }
            if let Some(value) = fields.get("limit") {
                let place = self.place_of(value);
                self.contradiction(
                    "`limit` has no place where there is no period".to_owned(),
                    "it says whether a period is the least or the most: leave it out, or add `trigger` and `period`",
                    place,
                );
                return None;
            }
            return gate.map(|_| None);
        }
        let mut needed = |key| {
            let value = fields.get(key);
            if value.is_none() {
                self.missing_from(fields, "a class with a processor", key);
            }
            value
        };
        let (trigger, period) = (needed("trigger"), needed("period"));
        let trigger = trigger.and_then(|value| {
            if matches!(value.get_ref(), DeValue::Datetime(_)) {
                return self.day(value, "trigger");
            }
            let place = self.place_of(value);
            self.report(
                Diagnostic::new(
                    Code::WrongType,
                    "the `trigger` of a class with a processor must be a date",
                )
                .hint("there are no rows here whose dates could count: write `trigger = 2021-07-31`, without quotes")
                .at(place)
                .also(self.value_place(fields, "processor"), "the processor"),
            );
            None
        });
        let period = period.and_then(|value| self.period(value, "period"));
        Some(Some(Term {
            trigger: trigger?,
            period: period?,
            limit: limit?,
        }))
    }
}
