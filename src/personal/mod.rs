//! What looks personal: judges columns by name and type, and proposes how each might be
//! anonymised.
//!
//! Pure, on values of the catalogue: no row is ever read for it. A name is taken apart into
//! words first (`emailAddress`, `email_address` and `emailaddress` are two words each), so
//! that rules speak of words and `filename` is no person's name. It errs on the side of naming
//! a column: a person who reads the list strikes out faster than they find.

mod rules;
mod strategy;
mod words;

use crate::catalog::{Column, Table};

pub use strategy::{Proposal, propose};
pub use words::words;

/// What a column seems to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// The name of a person, or a part of it.
    Name,
    /// The name by which a person signs in or is known on a platform.
    Username,
    /// An email address.
    Email,
    /// A telephone, mobile, fax or pager number.
    Phone,
    /// A postal or other address, or a part of one.
    Address,
    /// A postcode.
    Postcode,
    /// A day, or year, of birth.
    BirthDate,
    /// National insurance, NHS, passport, staff number and the like.
    PersonalNumber,
    /// An account or a card.
    Bank,
    /// The address of a machine that a person uses.
    IpAddress,
    /// The machine that a person uses.
    Device,
    /// Coordinates.
    Location,
    /// Gender, ethnicity, belief, health and the like (UK GDPR Art 9, and Equality Act).
    Characteristic,
    /// A photograph, a voice, a fingerprint.
    Likeness,
    /// A written signature.
    Signature,
    /// A password, a token, a session.
    Secret,
    /// Text in which anything may stand.
    FreeText,
    /// An old or new value of some other column.
    Copy,
    /// A document or a value whose parts the database does not name.
    Document,
}

impl What {
    /// In words, for the middle of a sentence.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Name => "a person's name",
            Self::Username => "a username",
            Self::Email => "an email address",
            Self::Phone => "a telephone number",
            Self::Address => "an address",
            Self::Postcode => "a postcode",
            Self::BirthDate => "a date of birth",
            Self::PersonalNumber => "a number that stands for a person",
            Self::Bank => "a bank account or card",
            Self::IpAddress => "an IP address",
            Self::Device => "a person's device",
            Self::Location => "a place on the map",
            Self::Characteristic => "a personal characteristic",
            Self::Likeness => "a picture, a voice or a fingerprint",
            Self::Signature => "a signature",
            Self::Secret => "a password, token or session",
            Self::FreeText => "free text",
            Self::Copy => "copies of other columns' values",
            Self::Document => "a value in which anything may stand",
        }
    }
}

/// How sure the name and the type make it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Certainty {
    /// Enough by itself: the table holds personal data until somebody says that it does not.
    Likely,
    /// Worth a look where the table is looked at anyway.
    Possible,
}

/// One column that looks personal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding<'a> {
    /// The column.
    pub column: &'a Column,
    /// What it seems to hold.
    pub what: What,
    /// How sure that is.
    pub certainty: Certainty,
    /// What speaks for it, such as `by its name`.
    pub because: String,
}

/// The columns of a table that look personal, in the table's order.
#[must_use]
pub fn judge(table: &Table) -> Vec<Finding<'_>> {
    rules::judge(table)
}

/// Whether a table holds what looks like personal data.
#[must_use]
pub fn holds_personal_data(findings: &[Finding<'_>]) -> bool {
    findings
        .iter()
        .any(|finding| finding.certainty == Certainty::Likely)
}
