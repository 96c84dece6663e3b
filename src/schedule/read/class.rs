//! One `[[class]]`, and what its keys must agree on.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::{Fields, Reader, Value, keys};
use crate::ident::{ClassId, Ident, TableName};
use crate::schedule::class::{
    Class, Disposal, Dispose, Erasure, Gate, Limit, Places, Rule, Stage, Strategy, Trigger,
};
use crate::schedule::condition::Condition;
use crate::schedule::diagnostics::{Code, Diagnostic, Place};
use crate::schedule::digest;
use crate::schedule::period::Period;
use crate::schedule::processor::ProcessorClass;

/// The four words for a disposal, before what they need is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Flag,
    Anonymise,
    Delete,
    Retain,
}

const KINDS: [(&str, Kind); 4] = [
    ("flag", Kind::Flag),
    ("anonymise", Kind::Anonymise),
    ("delete", Kind::Delete),
    ("retain", Kind::Retain),
];

/// What a class that retains has no use for.
pub(super) const NOT_WITH_RETAIN: [&str; 23] = [
    "trigger",
    "plausible_from",
    "trigger_zone",
    "from_end_of",
    "period",
    "tolerance",
    "unless_active",
    "or_when",
    "anonymise",
    "stages",
    "notice",
    "dependants",
    "files",
    "gate",
    "approvals",
    "preview",
    "limit",
    "max_rows",
    "max_share",
    "max_growth",
    "erasure",
    "erasure_right",
    "every",
];

/// What one `[[class]]` is.
enum Entry {
    /// Rows of a table.
    Rows(Class),
    /// What somebody else holds.
    Elsewhere(ProcessorClass),
}

impl Reader<'_> {
    /// The classes, and those whose data a processor holds.
    pub(super) fn class_section(
        &mut self,
        file: &Fields<'_, '_>,
    ) -> Option<(Vec<Class>, Vec<ProcessorClass>)> {
        let Some(value) = file.get("class") else {
            self.no_classes(file.place);
            return None;
        };
        let DeValue::Array(entries) = value.get_ref() else {
            let place = self.place_of(value);
            self.report(
                Diagnostic::new(Code::WrongType, "`class` must be a list of tables")
                    .hint("write [[class]], with two brackets, before each class")
                    .at(place),
            );
            return None;
        };
        if entries.iter().next().is_none() {
            self.no_classes(self.place_of(value));
            return None;
        }
        let mut seen: BTreeMap<ClassId, Place> = BTreeMap::new();
        let read: Vec<Option<Entry>> = entries
            .iter()
            .map(|entry| self.class(entry, &mut seen))
            .collect();
        let (mut classes, mut processors) = (Vec::new(), Vec::new());
        for entry in read {
            match entry? {
                Entry::Rows(class) => classes.push(class),
                Entry::Elsewhere(class) => processors.push(class),
            }
        }
        Some((classes, processors))
    }

    fn no_classes(&mut self, place: Place) {
        self.report(
            Diagnostic::new(Code::NoClasses, "the schedule has no classes")
                .hint("add a [[class]] for each kind of record")
                .at(place),
        );
    }

    fn class(&mut self, entry: &Value<'_>, seen: &mut BTreeMap<ClassId, Place>) -> Option<Entry> {
        let table = self.table(entry, "class")?;
        let header = self.place_of(entry);
        if table.is_empty() {
            self.report(
                Diagnostic::new(Code::EmptyClass, "this class has nothing in it")
                    .hint("it needs id, title, table, disposal, authority, and what the disposal asks for")
                    .at(header),
            );
            return None;
        }
        let id_place = table
            .iter()
            .find(|(key, _)| key.get_ref() == "id")
            .map_or(header, |(_, value)| self.place_of(value));
        let fields = self.fields(table, &keys::CLASS, id_place);
        let named = fields.get("id").and_then(|value| value.get_ref().as_str());
        self.placeholders(
            &fields,
            &named.map_or("this class".to_owned(), |id| format!("class `{id}`")),
        );

        if fields.get("processor").is_some() {
            return self.processor(&fields, seen).map(Entry::Elsewhere);
        }
        self.rows(&fields, seen).map(Entry::Rows)
    }

    /// A class of rows.
    fn rows(
        &mut self,
        fields: &Fields<'_, '_>,
        seen: &mut BTreeMap<ClassId, Place>,
    ) -> Option<Class> {
        let places = self.places(fields);
        let id = self.class_id(fields, seen);
        let title = self.required_text(fields, "title").map(|(text, _)| text);
        let table = self
            .required_text(fields, "table")
            .and_then(|(text, place)| self.table_name(&text, place));
        let claim = match fields.get("where") {
            Some(value) => self.condition(value, "where").map(Some),
            None => Some(None),
        };
        let subject = match self.optional_text(fields, "subject") {
            Some(Some(text)) => {
                let place = self.value_place(fields, "subject");
                self.column_name(&text, place).map(Some)
            }
            Some(None) => Some(None),
            None => None,
        };
        let authority = self
            .required_text(fields, "authority")
            .map(|(text, _)| text);
        let lawful_basis = self.optional_text(fields, "lawful_basis");
        let kind = match fields.get("disposal") {
            Some(value) => self.word(value, "disposal", &KINDS),
            None => {
                self.missing(fields, "disposal");
                None
            }
        };
        let rule = self.rule(fields, kind, table.as_ref());
        let mut class = Class {
            id: id?,
            title: title?,
            table: table?,
            claim: claim?,
            subject: subject?,
            rule: rule?,
            authority: authority?,
            lawful_basis: lawful_basis?,
            digest: [0; 32],
            places,
        };
        class.digest = digest::of_class(&class);
        self.agree(&class).then_some(class)
    }

    /// Where each key is written, with `anonymise.COLUMN` and `trigger.COLUMN` for those inside.
    pub(super) fn places(&self, fields: &Fields<'_, '_>) -> Places {
        let mut keys = BTreeMap::new();
        for (key, value) in fields.table {
            keys.insert(key.get_ref().to_string(), self.place_of(value));
            if let ("anonymise", DeValue::Table(columns)) = (&**key.get_ref(), value.get_ref()) {
                for (column, _) in columns {
                    keys.insert(
                        format!("anonymise.{}", column.get_ref()),
                        self.place_of(column),
                    );
                }
            }
            if let ("trigger", DeValue::Array(entries)) = (&**key.get_ref(), value.get_ref()) {
                for entry in entries {
                    let column = match entry.get_ref() {
                        DeValue::Table(source) => source.get("column"),
                        _ => Some(entry),
                    };
                    if let Some((column, text)) =
                        column.and_then(|c| Some((c, c.get_ref().as_str()?)))
                    {
                        keys.insert(format!("trigger.{text}"), self.place_of(column));
                    }
                }
            }
        }
        Places {
            class: fields.place,
            keys,
        }
    }

    pub(super) fn class_id(
        &mut self,
        fields: &Fields<'_, '_>,
        seen: &mut BTreeMap<ClassId, Place>,
    ) -> Option<ClassId> {
        let (text, place) = self.required_text(fields, "id")?;
        let Some(id) = ClassId::new(&text) else {
            let hint = match text.as_str() {
                "list" | "withdraw" => "this word is a command; choose another",
                _ => {
                    "use lower-case letters, digits and single hyphens, starting with a letter, at most 60"
                }
            };
            self.report(
                Diagnostic::new(
                    Code::BadClassId,
                    format!("`{text}` cannot be the id of a class"),
                )
                .hint(hint)
                .at(place),
            );
            return None;
        };
        if let Some(first) = seen.get(&id) {
            self.report(
                Diagnostic::new(
                    Code::DuplicateClassId,
                    format!(
                        "the id `{id}` is already that of the class on line {}",
                        first.line
                    ),
                )
                .also(*first, "the first class with this id")
                .hint("give each class an id of its own: the ledger and every approval name it")
                .at(place),
            );
            return None;
        }
        seen.insert(id.clone(), place);
        Some(id)
    }

    pub(super) fn table_name(&mut self, text: &str, place: Place) -> Option<TableName> {
        match text.parse() {
            Ok(name) => Some(name),
            Err(error) => {
                self.report(
                    Diagnostic::new(
                        Code::BadName,
                        format!("this is not the name of a table: {error}"),
                    )
                    .hint("write `name` or `schema.name`, as PostgreSQL stores it, without quotes")
                    .at(place),
                );
                None
            }
        }
    }

    fn rule(
        &mut self,
        fields: &Fields<'_, '_>,
        kind: Option<Kind>,
        table: Option<&TableName>,
    ) -> Option<Rule> {
        if kind == Some(Kind::Retain) {
            for key in NOT_WITH_RETAIN {
                if let Some(value) = fields.get(key) {
                    let place = self.place_of(value);
                    self.report(
                        Diagnostic::new(
                            Code::Contradiction,
                            format!("`{key}` has no place in a class that retains"),
                        )
                        .hint("a retained record is never touched: leave it out, or choose another disposal")
                        .at(place)
                        .also(self.value_place(fields, "disposal"), "it retains"),
                    );
                }
            }
            let mut answer = |key| match fields.get(key) {
                Some(value) => self.text_value(value, key),
                None => {
                    self.missing_from(fields, "a class that retains", key);
                    None
                }
            };
            let (owner, reason) = (answer("owner"), answer("reason"));
            let review_on = match fields.get("review_on") {
                Some(value) => self.day(value, "review_on").map(Some),
                None => Some(None),
            };
            return Some(Rule::Retain {
                owner: owner?.0,
                reason: reason?.0,
                review_on: review_on?,
            });
        }
        // Allowed, and part of no rule; only not blank.
        let owner = self.optional_text(fields, "owner");
        let reason = self.optional_text(fields, "reason");
        let trigger = self
            .required(fields, "trigger", kind)
            .and_then(|value| self.trigger(value, table));
        let period = self
            .required(fields, "period", kind)
            .and_then(|value| self.period(value, "period"));
        let limit = self.choice(
            fields,
            "limit",
            &Limit::ALL.map(|l| (l.name(), l)),
            Limit::Minimum,
        );
        let timing = self.timing(fields, limit);
        if let Some(value) = fields.get("review_on") {
            let place = self.place_of(value);
            self.contradiction(
                "`review_on` belongs to a class that retains".to_owned(),
                "what has a period ends by itself: leave it out",
                place,
            );
        }
        let gate = self.choice(
            fields,
            "gate",
            &Gate::ALL.map(|g| (g.name(), g)),
            Gate::None,
        );
        let approvals = self.approvals(fields, gate);
        let preview = self.preview(fields, gate, kind);
        let erasure = self.choice(
            fields,
            "erasure",
            &Erasure::ALL.map(|e| (e.name(), e)),
            Erasure::Ordinary,
        );
        let disposal = self.disposal(fields, kind);
        let stages = match fields.get("stages") {
            Some(value) => self.stages(value),
            None => Some(Vec::new()),
        };
        let or_when = self.or_when(fields);
        let erasure_right = self.erasure_right(fields);
        let notice = self.notice(fields, kind == Some(Kind::Flag));
        let anonymises =
            kind == Some(Kind::Anonymise) || stages.iter().flatten().any(Stage::anonymises);
        let dependants = match fields.get("dependants") {
            Some(value) => self.dependants(value, table, anonymises),
            None => Some(Vec::new()),
        };
        let files = match fields.get("files") {
            Some(value) => self.files(value, table, dependants.as_deref()),
            None => Some(Vec::new()),
        };
        let limits = self.limits(fields);
        let every = match self.optional_text(fields, "every") {
            Some(Some(text)) => {
                let place = self.value_place(fields, "every");
                self.timetable(&text, place).map(Some)
            }
            Some(None) => Some(None),
            None => None,
        };
        owner?;
        reason?;
        let timing = timing?;
        Some(Rule::Dispose(Box::new(Dispose {
            trigger: trigger?,
            plausible_from: timing.plausible_from,
            trigger_zone: timing.trigger_zone,
            from_end_of: timing.from_end_of,
            period: period?,
            tolerance: timing.tolerance,
            unless_active: timing.unless_active,
            or_when: or_when?,
            limit: limit?,
            disposal: disposal?,
            stages: stages?,
            notice: notice?,
            gate: gate?,
            approvals: approvals?,
            preview: preview?,
            dependants: dependants?,
            files: files?,
            limits: limits?,
            erasure: erasure?,
            erasure_right: erasure_right?,
            every: every?,
        })))
    }

    /// What makes a record past at once.
    fn or_when(&mut self, fields: &Fields<'_, '_>) -> Option<Option<Condition>> {
        let Some(value) = fields.get("or_when") else {
            return Some(None);
        };
        if fields.get("stages").is_some() {
            let place = self.place_of(value);
            self.contradiction(
                "`or_when` cannot stand beside `stages`".to_owned(),
                "what is due at once has no earlier stage: leave one of them out, or divide the records between two classes",
                place,
            );
            return None;
        }
        self.condition(value, "or_when").map(Some)
    }

    /// Whether a person can have the records erased before their time.
    fn erasure_right(&mut self, fields: &Fields<'_, '_>) -> Option<bool> {
        let Some(value) = fields.get("erasure_right") else {
            return Some(true);
        };
        let DeValue::Boolean(right) = value.get_ref() else {
            self.wrong_type("erasure_right", "true or false", value);
            return None;
        };
        Some(*right)
    }

    /// How many people have to approve a record.
    fn approvals(&mut self, fields: &Fields<'_, '_>, gate: Option<Gate>) -> Option<u32> {
        let Some(value) = fields.get("approvals") else {
            return Some(1);
        };
        let place = self.place_of(value);
        if gate.is_some_and(|gate| gate != Gate::Review) {
            self.contradiction(
                "`approvals` belongs to a class with reviews".to_owned(),
                "write `gate = \"review\"` beside it, or leave it out",
                place,
            );
            return None;
        }
        let DeValue::Integer(written) = value.get_ref() else {
            self.wrong_type("approvals", "a whole number of people", value);
            return None;
        };
        let number = u32::from_str_radix(written.as_str(), written.radix()).ok();
        let number = number.filter(|n| (1..=9).contains(n));
        if number.is_none() {
            self.report(
                Diagnostic::new(
                    Code::BadLimit,
                    "`approvals` must be a whole number of people, 1 to 9",
                )
                .hint("2 is what is usual: nobody decides alone")
                .at(place),
            );
        }
        number
    }

    /// The columns that reviewers are shown.
    fn preview(
        &mut self,
        fields: &Fields<'_, '_>,
        gate: Option<Gate>,
        kind: Option<Kind>,
    ) -> Option<Vec<Ident>> {
        let Some(value) = fields.get("preview") else {
            return Some(Vec::new());
        };
        let flags = kind.is_none_or(|kind| kind == Kind::Flag);
        if !flags && gate.is_some_and(|gate| gate != Gate::Review) {
            let place = self.place_of(value);
            self.contradiction(
                "`preview` belongs to a class whose records wait for a person".to_owned(),
                "write `gate = \"review\"` beside it, or leave it out",
                place,
            );
            return None;
        }
        self.column_list(value, "preview", "a list of columns")
    }

    /// A key that every disposal but `retain` needs; where the disposal itself is
    /// wrong, its absence is no second fault.
    fn required<'a, 'i>(
        &mut self,
        fields: &Fields<'a, 'i>,
        key: &str,
        kind: Option<Kind>,
    ) -> Option<&'a Value<'i>> {
        let value = fields.get(key);
        if value.is_none() && kind.is_some() {
            self.missing_from(fields, "a class that does not retain", key);
        }
        value
    }

    pub(super) fn choice<T: Copy>(
        &mut self,
        fields: &Fields<'_, '_>,
        key: &str,
        words: &[(&'static str, T)],
        default: T,
    ) -> Option<T> {
        match fields.get(key) {
            Some(value) => self.word(value, key, words),
            None => Some(default),
        }
    }

    pub(super) fn period(&mut self, value: &Value<'_>, key: &str) -> Option<Period> {
        let (text, place) = self.text_value(value, key)?;
        match Period::parse(&text) {
            Ok(period) => Some(period),
            Err(error) => {
                self.report(
                    Diagnostic::new(Code::BadPeriod, error.to_string())
                        .hint(error.hint())
                        .at(place),
                );
                None
            }
        }
    }

    fn disposal(&mut self, fields: &Fields<'_, '_>, kind: Option<Kind>) -> Option<Disposal> {
        let columns = fields
            .get("anonymise")
            .map(|value| (value, self.anonymise(value)));
        match (kind?, columns) {
            (Kind::Anonymise, Some((_, columns))) => columns.map(Disposal::Anonymise),
            (Kind::Anonymise, None) => {
                self.missing_from(fields, "a class that anonymises", "anonymise");
                None
            }
            (_, Some((value, _))) => {
                let place = self.place_of(value);
                self.report(
                    Diagnostic::new(
                        Code::Contradiction,
                        "`anonymise` has columns, but the disposal is another",
                    )
                    .hint("write `disposal = \"anonymise\"`, or leave the columns out")
                    .at(place)
                    .also(self.value_place(fields, "disposal"), "the disposal"),
                );
                None
            }
            (Kind::Flag, None) => {
                let mut fits = true;
                for key in ["dependants", "files", "erasure"] {
                    if let Some(value) = fields.get(key) {
                        let place = self.place_of(value);
                        self.report(
                            Diagnostic::new(
                                Code::Contradiction,
                                format!("`{key}` has no place in a class that only flags"),
                            )
                            .hint("nothing is touched by a flag: leave it out, or choose another disposal")
                            .at(place)
                            .also(self.value_place(fields, "disposal"), "it only flags"),
                        );
                        fits = false;
                    }
                }
                fits.then_some(Disposal::Flag)
            }
            (Kind::Delete, None) => Some(Disposal::Delete),
            // Read by `rule` before this; nothing is ever disposed of by it.
            (Kind::Retain, None) => None,
        }
    }

    /// Where a key's value stands; nowhere if it is not written.
    pub(super) fn value_place(&self, fields: &Fields<'_, '_>, key: &str) -> Place {
        fields
            .get(key)
            .map_or_else(Place::default, |value| self.place_of(value))
    }

    pub(super) fn contradiction(&mut self, message: String, hint: &str, place: Place) {
        self.report(
            Diagnostic::new(Code::Contradiction, message)
                .hint(hint)
                .at(place),
        );
    }

    /// What the parts of a class must agree on, once each is right by itself.
    fn agree(&mut self, class: &Class) -> bool {
        let Some(dispose) = class.dispose() else {
            return true;
        };
        if dispose.limit == Limit::Maximum && dispose.gate == Gate::Review {
            self.report(
                Diagnostic::new(
                    Code::MaximumBehindReview,
                    "a maximum that waits for a review is late when nobody looks",
                )
                .hint("watch `retentiond status --overdue`, or leave the gate out")
                .at(*class.place("gate"))
                .also(*class.place("limit"), "the maximum"),
            );
        }
        let mut fits = self.stages_agree(class, dispose);
        let steps = dispose.stages.iter().map(|stage| &stage.disposal);
        let columns = steps.chain([&dispose.disposal]).flat_map(|disposal| {
            if let Disposal::Anonymise(columns) = disposal {
                &columns[..]
            } else {
                &[]
            }
        });
        for part in columns {
            let name = &part.column;
            let written = std::iter::once(name.as_str())
                .chain(part.path.iter().map(String::as_str))
                .collect::<Vec<_>>()
                .join(".");
            let place = *class.place(&format!("anonymise.{written}"));
            if part.strategy == Strategy::Pseudonym {
                self.report(
                    Diagnostic::new(
                        Code::PseudonymIsPersonal,
                        format!(
                            "`{name}` stays personal data while the key of its pseudonyms exists"
                        ),
                    )
                    .hint("use `redact` or `null` unless records must still be told apart")
                    .at(place),
                );
            }
            let reads = |condition: Option<&Condition>| {
                condition.is_some_and(|condition| condition.columns().any(|c| c == name))
            };
            let role = if reads(class.claim()) {
                Some(("its `where` reads it", *class.place("where")))
            } else if reads(dispose.or_when.as_ref()) {
                Some(("its `or_when` reads it", *class.place("or_when")))
            } else if let Trigger::Columns(triggers) = &dispose.trigger {
                let at = *class.place("trigger");
                if triggers
                    .iter()
                    .any(|trigger| trigger.related.is_none() && &trigger.column == name)
                {
                    Some(("it is a trigger of this class", at))
                } else if triggers.iter().any(|trigger| reads(trigger.when.as_ref())) {
                    Some(("the `when` of a trigger reads it", at))
                } else {
                    None
                }
            } else {
                None
            };
            if let Some((role, read_at)) = role {
                fits = false;
                self.report(
                    Diagnostic::new(
                        Code::AnonymisesItsRule,
                        format!("`{name}` cannot be anonymised: {role}"),
                    )
                    .hint("the class could no longer tell its own records afterwards; keep the column, or judge by another")
                    .at(place)
                    .also(read_at, "by this the class is judged"),
                );
            }
        }
        fits
    }
}
