//! What is generated, in which order and how much of each: the proportions of a
//! public body's records, in which letters and emails outweigh the rest.

use super::SampleOptions;

/// How many records each class's table gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sizes {
    correspondence: u64,
    foi_request: u64,
    media: u64,
    applicant: u64,
    survey_sample: u64,
    capv_participant: u64,
    social_message: u64,
    opt_out: u64,
}

impl Sizes {
    /// Shares of `rows`, each at least as much as shows every odd date and every
    /// relation; correspondence has what the others leave.
    pub(super) fn of(rows: u64) -> Self {
        let share = |thousandths: u64, least: u64| (rows / 1000 * thousandths).max(least);
        let mut sizes = Self {
            correspondence: 0,
            foi_request: share(30, 30),
            media: share(50, 120),
            applicant: share(60, 120),
            survey_sample: share(140, 96),
            // One piece of research, however large the organisation.
            capv_participant: share(5, 12).min(600),
            social_message: share(130, 60),
            opt_out: share(45, 20),
        };
        sizes.correspondence = rows.saturating_sub(sizes.records()).max(480);
        sizes
    }

    pub(super) fn records(&self) -> u64 {
        self.correspondence
            + self.foi_request
            + self.media
            + self.applicant
            + self.survey_sample
            + self.capv_participant
            + self.social_message
            + self.opt_out
    }
}

/// One table to fill. Its statement takes `$1` and `$2`, the first and last number
/// of a chunk; `$3`, the salt; `$4`, the day; `$5`, what the numbers count up to
/// over the twelve years; `$6`, whatever else the statement's comment says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) table: &'static str,
    pub(super) sql: &'static str,
    /// A class names this table.
    pub(super) is_record: bool,
    /// The statement runs over the numbers from 1 to this one.
    pub(super) numbers: u64,
    pub(super) of: u64,
    pub(super) related: i64,
    pub(super) salt: i64,
}

macro_rules! sql {
    ($table:literal) => {
        ($table, include_str!(concat!($table, ".sql")))
    };
}

/// All generated tables, each after those that it refers to.
pub(super) fn parts(options: &SampleOptions) -> Vec<Part> {
    let sizes = Sizes::of(options.rows);
    let matters = sizes.correspondence.div_ceil(8);
    let forms = sizes.media.div_ceil(3);
    let vacancies = (sizes.applicant / 40).max(10);

    let part =
        |(table, sql): (&'static str, &'static str), numbers: u64, of: u64, related: u64| Part {
            table,
            sql,
            is_record: false,
            numbers,
            of,
            related: related.cast_signed(),
            salt: salt(options.seed, table),
        };
    let record = |named, numbers, related| Part {
        is_record: true,
        ..part(named, numbers, numbers, related)
    };
    let child = |named, numbers| part(named, numbers, numbers, 0);

    vec![
        part(sql!("matter"), matters, sizes.correspondence, 0),
        record(sql!("correspondence"), sizes.correspondence, matters),
        child(sql!("attachment"), sizes.correspondence),
        child(sql!("case_note"), sizes.correspondence),
        record(sql!("foi_request"), sizes.foi_request, sizes.correspondence),
        Part {
            related: salt(options.seed, "foi_request"),
            ..child(sql!("foi_exchange"), sizes.foi_request)
        },
        part(sql!("consent_form"), forms, forms, sizes.media),
        record(sql!("media"), sizes.media, forms),
        child(sql!("vacancy"), vacancies),
        record(sql!("applicant"), sizes.applicant, vacancies),
        record(sql!("survey_sample"), sizes.survey_sample, 0),
        child(sql!("survey_contact_attempt"), sizes.survey_sample),
        record(sql!("capv_participant"), sizes.capv_participant, 0),
        child(sql!("capv_interview"), sizes.capv_participant),
        child(sql!("capv_outcome"), sizes.capv_participant),
        record(
            sql!("social_message"),
            sizes.social_message,
            sizes.correspondence,
        ),
        record(sql!("opt_out"), sizes.opt_out, 0),
    ]
}

/// A number from 0 to 2^62 for each seed and table, so that tables do not repeat
/// each other's people, and small numbers can be added to it.
fn salt(seed: u64, table: &str) -> i64 {
    let mixed = table
        .bytes()
        .fold(mix(seed), |state, byte| mix(state ^ u64::from(byte)));
    (mixed >> 2).cast_signed()
}

/// The output function of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), after its step.
fn mix(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::{Sizes, mix};

    #[test]
    fn a_large_sample_has_exactly_the_records_asked_for() {
        for rows in [10_000, 123_456, 1_000_000] {
            assert_eq!(Sizes::of(rows).records(), rows);
        }
        assert_eq!(Sizes::of(1_000_000).correspondence, 544_400);
    }

    #[test]
    fn a_small_sample_has_enough_of_everything() {
        assert_eq!(Sizes::of(0).records(), 938);
        assert_eq!(Sizes::of(938), Sizes::of(0));
    }

    /// The first outputs of the published generator for seed 1234567.
    #[test]
    fn mixing_is_splitmix64() {
        let gamma = 0x9e37_79b9_7f4a_7c15_u64;
        let outputs: Vec<u64> = (0..3)
            .map(|n| mix(1_234_567_u64.wrapping_add(gamma.wrapping_mul(n))))
            .collect();
        assert_eq!(
            outputs,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }
}
