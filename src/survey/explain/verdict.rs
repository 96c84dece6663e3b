//! What follows from what each class says of one record: who decides, the record's state,
//! and the day on which it would go. Rules 1 to 3 of "Which class decides", for reading.

use chrono::NaiveDate;

use super::{Explanation, Said};

/// A class that retains decides before all others; else, among the minimums and the
/// earliest maximum that is not done, the latest last day, on a tie the mildest disposal.
pub(super) fn decide_who_governs(said: &mut [Said]) {
    if let Some(keeper) = said.iter_mut().find(|said| said.retains) {
        keeper.claim.governs = true;
        return;
    }
    let rank = |said: &Said| {
        let severity = match said.claim.disposal {
            "flag" => 0,
            "anonymise" => 1,
            _ => 2,
        };
        (severity, said.claim.class.clone())
    };
    let done = |said: &Said| said.state.as_deref() == Some("done");
    let undone = said
        .iter()
        .any(|s| !s.is_minimum && s.last.is_some() && !done(s));
    let earliest = (0..said.len())
        .filter(|nth| !said[*nth].is_minimum && said[*nth].last.is_some())
        .filter(|nth| !undone || !done(&said[*nth]))
        .min_by_key(|nth| (said[*nth].last, rank(&said[*nth])));
    // A minimum without a trigger has no last day at all, and so keeps the record for ever.
    let governing = (0..said.len())
        .filter(|nth| said[*nth].is_minimum || Some(*nth) == earliest)
        .max_by_key(|nth| {
            let last_day = said[*nth].last.unwrap_or(NaiveDate::MAX);
            (last_day, std::cmp::Reverse(rank(&said[*nth])))
        });
    if let Some(nth) = governing {
        said[nth].claim.governs = true;
    }
}

pub(super) fn state(said: &[Said], answer: &Explanation) -> &'static str {
    let any = |state: &str| said.iter().any(|said| said.state.as_deref() == Some(state));
    if !answer.holds.is_empty() || said.iter().any(|said| said.held) {
        return "held";
    }
    if said.is_empty() {
        return "unclaimed";
    }
    if any("conflict") {
        return "conflict";
    }
    if said.iter().any(|said| said.retains) {
        return "retained";
    }
    if let Some(done) = said
        .iter()
        .find(|said| said.state.as_deref() == Some("done"))
    {
        return if done.claim.disposal == "flag" {
            "flagged"
        } else {
            "anonymised"
        };
    }
    if any("due") {
        return "due";
    }
    if any("waiting") || any("noticed") {
        return "waiting";
    }
    if any("active") {
        return "active";
    }
    if any("quarantined") {
        return "quarantined";
    }
    let undated = |said: &&Said| {
        matches!(
            said.claim.undated.as_deref(),
            Some("without" | "implausible")
        )
    };
    let governs_undated = said
        .iter()
        .filter(|said| said.claim.governs)
        .any(|said| undated(&said));
    if governs_undated || said.iter().all(|said| undated(&said)) {
        "undated"
    } else {
        "kept"
    }
}

/// The first day on which every minimum is past and, if there are maximums, one of them is.
pub(super) fn will_go_on(said: &[Said], state: &str, today: NaiveDate) -> Option<NaiveDate> {
    // What was done by a stage is followed by what comes after it.
    let goes_on = match state {
        "kept" | "due" => true,
        "flagged" | "anonymised" => said.iter().any(|said| said.claim.governs && said.staged),
        _ => false,
    };
    if !goes_on || said.iter().any(|said| said.retains) {
        return None;
    }
    let mut day = None;
    for said in said.iter().filter(|said| said.is_minimum) {
        if !said.claim.at_once {
            day = day.max(Some(said.claim.last_day?.succ_opt()?));
        }
    }
    if day.is_none() && said.iter().any(|said| said.is_minimum) {
        day = Some(today);
    }
    let maximums: Vec<&Said> = said.iter().filter(|said| !said.is_minimum).collect();
    if !maximums.is_empty() {
        day = day.max(Some(
            maximums
                .iter()
                .filter_map(|said| match said.claim.at_once {
                    true => Some(today),
                    false => said.claim.last_day,
                })
                .min()?,
        ));
    }
    day.map(|day| day.max(today))
}

/// Why the class that governs does, in a sentence.
pub(super) fn why(said: &[Said]) -> Option<String> {
    let governs = said.iter().find(|said| said.claim.governs)?;
    let id = &governs.claim.class;
    if governs.retains {
        return Some(format!(
            "`{id}` retains it, which wins over every other class"
        ));
    }
    if let Some(day) = governs.claim.requested_on {
        return Some(match said.len() {
            1 => format!("a person asked on {day} to have it erased, which `{id}` lets them"),
            _ => format!(
                "a person asked on {day} to have it erased; of the classes that claim it `{id}` \
                 is the latest to end, or does the least"
            ),
        });
    }
    if said.len() == 1 {
        return Some(match governs.claim.at_once {
            true => format!("only `{id}` claims it, and its `or_when` holds"),
            false => format!("only `{id}` claims it"),
        });
    }
    let tied = said.iter().any(|other| {
        other.claim.class != *id && other.last.is_some() && other.last == governs.last
    });
    Some(match (governs.is_minimum, governs.last, tied) {
        (true, None, _) => format!(
            "`{id}` has no date to count from for it, and so keeps it from every other class"
        ),
        (true, Some(_), true) => {
            format!("`{id}` ends on the same day as another class, and does the least to it")
        }
        (true, Some(_), false) => format!("`{id}` keeps it longest of the classes that claim it"),
        (false, _, true) => format!(
            "`{id}` is the earliest maximum, ends on the same day as another class, and does the least to it"
        ),
        (false, _, false) => {
            format!("`{id}` is the earliest maximum, and no minimum keeps it longer")
        }
    })
}
