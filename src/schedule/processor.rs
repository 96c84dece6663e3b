//! A class whose data somebody else holds for the organisation: an applicant system, a
//! survey company, a research contractor.
//!
//! It has no table, and nothing that works on rows ever sees it: it stands in a list of its
//! own beside the classes, with which it shares the ids. What the schedule orders for it is
//! one instruction to destroy, on one day.

use chrono::NaiveDate;

use super::class::{Gate, Limit, Places};
use super::diagnostics::Place;
use super::period::Period;
use crate::ident::ClassId;

/// One class of data that a processor holds.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessorClass {
    pub(super) id: ClassId,
    pub(super) title: String,
    pub(super) processor: String,
    pub(super) term: Option<Term>,
    pub(super) tolerance: u32,
    pub(super) gate: Gate,
    pub(super) authority: String,
    pub(super) lawful_basis: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) review_on: Option<NaiveDate>,
    pub(super) digest: [u8; 32],
    pub(super) places: Places,
}

/// How long a processor's data is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// What the period is counted from: one date, since there are no rows to have dates.
    pub trigger: NaiveDate,
    /// How long it is kept.
    pub period: Period,
    /// Whether that is the least or the most that is allowed.
    pub limit: Limit,
}

impl Term {
    /// The last day of retention; `None` beyond the calendar.
    #[must_use]
    pub fn last_day(&self) -> Option<NaiveDate> {
        self.period.last_day(self.trigger)
    }

    /// The first day on which it is past: the day after the last one, or, for a maximum, the
    /// last one itself.
    #[must_use]
    pub fn past_from(&self) -> Option<NaiveDate> {
        let last_day = self.last_day()?;
        match self.limit {
            Limit::Minimum => last_day.succ_opt(),
            Limit::Maximum => Some(last_day),
        }
    }
}

impl ProcessorClass {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &ClassId {
        &self.id
    }

    /// What people call the data.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Who holds it, as a letter would name them.
    #[must_use]
    pub fn processor(&self) -> &str {
        &self.processor
    }

    /// How long it is kept; none where it is kept until the controller instructs.
    #[must_use]
    pub fn term(&self) -> Option<&Term> {
        self.term.as_ref()
    }

    /// How many days after it became past, or was asked for, the confirmation may come.
    #[must_use]
    pub fn tolerance(&self) -> u32 {
        self.tolerance
    }

    /// What the instruction to destroy waits for; never a review.
    #[must_use]
    pub fn gate(&self) -> Gate {
        self.gate
    }

    /// The document that orders it.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The lawful basis, where one is given.
    #[must_use]
    pub fn lawful_basis(&self) -> Option<&str> {
        self.lawful_basis.as_deref()
    }

    /// Who answers for the data here, where that is said.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    /// When somebody is to ask again whether this is still right.
    #[must_use]
    pub fn review_on(&self) -> Option<NaiveDate> {
        self.review_on
    }

    /// SHA-256 of what the class means: comments, titles, layout, the day of the next look
    /// and the wording of authority, lawful basis and owner do not change it.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Where a key of the class stands in the file, or the class itself.
    #[must_use]
    pub fn place(&self, key: &str) -> &Place {
        self.places.keys.get(key).unwrap_or(&self.places.class)
    }
}
