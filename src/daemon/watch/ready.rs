//! Whether a pass that began now could be made, and what is missing where it could not.

use super::Watch;
use super::books::Force as InForce;

impl Watch {
    /// What is missing for a pass, each in a sentence; nothing where all is there.
    pub(super) fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if let Some(silent) = self.silent() {
            missing.push(format!(
                "the service's loop has not turned for {} s",
                silent.as_secs()
            ));
        }
        let state = self.state();
        match &state.looked {
            None => missing.push("the database was not asked yet".to_owned()),
            Some(Err(words)) => missing.push(words.clone()),
            Some(Ok(())) => {}
        }
        // What was known before the database stopped to answer says nothing of now.
        let books = state.books.as_ref().filter(|_| missing.is_empty());
        if let Some(books) = books {
            missing.extend(books.clock.clone());
            match &books.force {
                InForce::Nothing(why) => missing.push(why.clone()),
                InForce::Version { .. } => {}
            }
            missing.extend(books.interlock.clone());
            if state
                .counted
                .as_ref()
                .is_some_and(|counted| counted.all_refused())
            {
                missing.push(
                    "every class of the schedule is refused: none fits the database; \
                     `retentiond check` says why"
                        .to_owned(),
                );
            }
        }
        missing
    }
}
