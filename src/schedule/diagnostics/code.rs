//! The stable codes. A code, once released, keeps its meaning and is never reused.

use std::fmt;
use std::str::FromStr;

/// Whether a fault stops the schedule from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It stops.
    Error,
    /// It does not stop, but a person should know.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// Writes the enum, its text, and the list of all codes from one table.
macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal $severity:ident;)*) => {
        /// What kind of fault it is. R01: the file. R02: its conditions. R03: the
        /// database does not fit. R04: running.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $doc])* $name,)*
        }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// The code as it is printed, such as `R0107`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// Whether it stops the schedule from being used.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self {
                    $(Self::$name => Severity::$severity,)*
                }
            }
        }
    };
}

codes! {
    /// The file is not TOML.
    Syntax = "R0101" Error;
    /// A key that means nothing.
    UnknownKey = "R0102" Error;
    /// A required key is not there.
    MissingKey = "R0103" Error;
    /// A value of the wrong type.
    WrongType = "R0104" Error;
    /// A text with nothing in it.
    BlankText = "R0105" Error;
    /// A word that is not one of those allowed.
    UnknownWord = "R0106" Error;
    /// A period that cannot be read.
    BadPeriod = "R0107" Error;
    /// No such time zone.
    BadTimeZone = "R0108" Error;
    /// A time zone whose calendar went backwards.
    ZoneGoesBack = "R0109" Error;
    /// A timetable that cannot be read, or would be misread.
    BadTimetable = "R0110" Error;
    /// A class id of the wrong form.
    BadClassId = "R0111" Error;
    /// Two classes with one id.
    DuplicateClassId = "R0112" Error;
    /// A class with nothing in it.
    EmptyClass = "R0113" Error;
    /// A schedule without classes.
    NoClasses = "R0114" Error;
    /// A key that this version does not enforce yet.
    NotYetSupported = "R0115" Error;
    /// Two keys that cannot both hold.
    Contradiction = "R0116" Error;
    /// A table's or column's name that cannot be one.
    BadName = "R0117" Error;
    /// A list or table that must not be empty.
    EmptyList = "R0118" Error;
    /// The same thing named twice.
    Repeated = "R0119" Error;
    /// A class whose own table is its dependant.
    OwnDependant = "R0120" Error;
    /// A class would anonymise what it is judged by.
    AnonymisesItsRule = "R0121" Error;
    /// A path without `remove`, or `remove` without a path.
    PathAndStrategy = "R0122" Error;
    /// A date that is not a plain date.
    BadDate = "R0123" Error;
    /// A maximum waits for a person.
    MaximumBehindReview = "R0151" Warning;
    /// A pseudonym is still personal data.
    PseudonymIsPersonal = "R0152" Warning;
    /// A relation that cannot be read.
    BadRelation = "R0160" Error;
    /// The timetable is too sparse for a maximum.
    TimetableTooSparse = "R0170" Warning;
    /// What `init` wrote for a person to decide.
    Placeholder = "R0171" Warning;
    /// A limit that is no limit.
    BadLimit = "R0190" Error;

    /// A condition that is not one SQL expression.
    ConditionSyntax = "R0201" Error;
    /// A condition with a construct that is not allowed.
    ConditionConstruct = "R0202" Error;
    /// A condition with a function that is not on the list.
    ConditionFunction = "R0203" Error;
    /// A condition that looks beyond its own row.
    ConditionOtherRow = "R0204" Error;
    /// A condition that depends on the clock or the session.
    ConditionClock = "R0205" Error;
    /// A constant in a form that is not allowed.
    ConditionLiteral = "R0206" Error;
    /// A cast to a type that is not on the list.
    ConditionCast = "R0207" Error;
    /// A condition that is too long or too deep.
    ConditionTooLarge = "R0208" Error;

    /// The table does not exist.
    NoSuchTable = "R0301" Error;
    /// The column does not exist.
    NoSuchColumn = "R0302" Error;
    /// A column of the wrong type.
    WrongColumnType = "R0303" Error;
    /// The table has no primary key.
    NoPrimaryKey = "R0304" Error;
    /// A table refers to this one and is not declared.
    UndeclaredForeignKey = "R0305" Error;
    /// A dependant that no foreign key relates.
    UnrelatedDependant = "R0306" Error;
    /// A privilege is missing.
    MissingPrivilege = "R0307" Error;
    /// Neither an ordinary nor a partitioned table.
    NotATable = "R0308" Error;
    /// PostgreSQL refuses the condition.
    ConditionRefused = "R0309" Error;
    /// The table refers to itself.
    SelfReference = "R0310" Error;
    /// A key column would be anonymised.
    AnonymisesKey = "R0311" Error;
    /// A constraint that the anonymisation would break.
    AnonymisationBreaks = "R0312" Error;
    /// A file store that the settings do not name.
    UnknownStore = "R0313" Error;
    /// Row-level security hides rows.
    RowSecurity = "R0314" Error;
    /// Foreign keys form a circle.
    ForeignKeyCircle = "R0315" Error;
    /// A foreign key that cannot be NULL would be unlinked.
    UnlinkNotNull = "R0316" Error;
    /// Two rules for one table cannot both hold.
    RulesCollide = "R0317" Error;
    /// No index on the trigger.
    NoTriggerIndex = "R0351" Warning;
    /// No index on an inbound foreign key.
    NoForeignKeyIndex = "R0352" Warning;
    /// The table has triggers.
    TableHasTriggers = "R0353" Warning;
    /// The connection is a superuser's.
    Superuser = "R0354" Warning;
    /// A text key that looks personal.
    PersonalKey = "R0355" Warning;
    /// No row fits a condition.
    NothingFits = "R0356" Warning;
    /// A table that looks personal and that no class claims.
    UncoveredTable = "R0380" Warning;
    /// Rows of a claimed table that no class claims.
    UnclaimedRows = "R0381" Warning;
    /// The day has come to ask whether records must still be kept.
    ReviewDue = "R0357" Warning;
    /// The role can ask, and not act.
    OnlyAsks = "R0382" Warning;
    /// A relation between columns that cannot be compared.
    RelationTypes = "R0360" Error;
    /// A relation of which nobody can say which row it leads to.
    RelationUndecided = "R0361" Error;
    /// A trigger in a related row to which not just one foreign key leads.
    TriggerUnreached = "R0362" Error;
    /// A trigger without a time zone.
    NaiveTrigger = "R0370" Warning;
    /// A materialised view keeps copies.
    MaterialisedCopy = "R0371" Warning;
    /// Full pages have no room for changed rows.
    NoRoomForUpdates = "R0372" Warning;
    /// An index reads a column that is anonymised.
    IndexedColumnChanges = "R0373" Warning;
    /// A constraint that could not be tried.
    ConstraintUnproven = "R0374" Warning;
    /// The write-ahead log is not compressed.
    WalUncompressed = "R0375" Warning;
    /// A publication does not send what goes.
    NotPublished = "R0376" Warning;
    /// A change of the schedule that waits for a person.
    ChangeWaits = "R0390" Warning;
    /// A table that is to be rewritten, and may not be.
    MayNotRewrite = "R0393" Warning;

    /// The database cannot be reached.
    Unreachable = "R0401" Error;
    /// Our own schema is missing or old.
    NotMigrated = "R0402" Error;
    /// Another process holds the lease.
    NoLease = "R0403" Error;
    /// The clocks of host and database differ.
    ClockDiffers = "R0404" Error;
    /// The plan is no longer the one that was asked for.
    PlanChanged = "R0405" Error;
    /// No class has this id.
    UnknownClass = "R0406" Error;
    /// No record has this key.
    NoSuchRecord = "R0407" Error;
    /// The settings are wrong.
    BadSettings = "R0408" Error;
    /// A file cannot be read.
    Unreadable = "R0409" Error;
    /// A fault of retentiond itself.
    Internal = "R0410" Error;
    /// A published page no longer says what the schedule says.
    PublishedDiffers = "R0412" Error;
    /// Words on the command line that mean nothing.
    Usage = "R0411" Error;
    /// The database is not the one that the published log speaks of.
    Interlock = "R0413" Error;
    /// The key that signs the log is not there.
    NoSigningKey = "R0414" Error;
    /// The log cannot be published.
    Unpublished = "R0415" Error;
    /// The lost entries of a restored database cannot be brought back.
    NoReplay = "R0416" Error;
    /// What would change much was not confirmed.
    Unconfirmed = "R0417" Error;
    /// What was accepted was lost with a backup.
    AcceptAgain = "R0418" Error;
    /// There is no such hold, instruction, pause or operator, or no such record in a queue.
    NoSuchDecision = "R0419" Error;
    /// Whoever asks may not decide that.
    NotAllowed = "R0420" Error;
    /// No version of the schedule was ever accepted.
    NeverAccepted = "R0490" Error;
    /// Nothing has this digest that could be accepted.
    UnknownDigest = "R0491" Error;
    /// The version in force cannot be read by this program.
    ForceUnreadable = "R0492" Error;
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is no code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a code of retentiond (they look like R0107)")]
pub struct UnknownCode(String);

impl FromStr for Code {
    type Err = UnknownCode;

    /// Upper or lower case.
    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::ALL
            .iter()
            .copied()
            .find(|code| code.as_str().eq_ignore_ascii_case(text.trim()))
            .ok_or_else(|| UnknownCode(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_is_unique_and_well_formed() {
        let texts: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
        for text in texts {
            let digits = text.strip_prefix('R').unwrap_or_default();
            assert!(
                digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit()),
                "{text}"
            );
        }
    }

    #[test]
    fn codes_of_the_fifties_are_warnings_and_those_before_errors() {
        for code in Code::ALL {
            let tens = code.as_str().as_bytes().get(3).copied();
            // From sixty on a room's codes stand together, of either sort.
            let severity = match tens {
                Some(b'0'..=b'4') => Severity::Error,
                Some(b'5') => Severity::Warning,
                _ => continue,
            };
            assert_eq!(code.severity(), severity, "{code}");
        }
    }

    #[test]
    fn a_code_is_read_back_in_either_case() {
        for code in Code::ALL {
            assert_eq!(code.as_str().to_lowercase().parse(), Ok(*code));
        }
        assert!("R9999".parse::<Code>().is_err());
    }
}
