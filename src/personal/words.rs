//! A column's or table's name as words.
//!
//! `dateOfBirth`, `date_of_birth`, `DATE-OF-BIRTH` and `dateofbirth` are all *date of birth*.
//! What is written apart is split there; what is run together in lower case is split into
//! words that are known here, or not at all.

/// The words of a name, in lower case and without numbers.
#[must_use]
pub fn words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    for piece in pieces(name) {
        match segments(&piece) {
            Some(parts) => words.extend(parts.into_iter().map(str::to_owned)),
            None => words.push(piece),
        }
    }
    words
}

/// Split at whatever is no letter, and where capitals begin a word.
fn pieces(name: &str) -> Vec<String> {
    let chars: Vec<char> = name.chars().collect();
    let mut pieces = vec![String::new()];
    for (nth, character) in chars.iter().copied().enumerate() {
        if !character.is_alphabetic() {
            pieces.push(String::new());
            continue;
        }
        let before = nth.checked_sub(1).and_then(|nth| chars.get(nth));
        let after = chars.get(nth + 1);
        let begins = character.is_uppercase()
            && (before.is_some_and(|c| c.is_lowercase())
                // The last of several capitals begins the next word: `IPAddress`.
                || before.is_some_and(|c| c.is_uppercase())
                    && after.is_some_and(|c| c.is_lowercase()));
        if begins {
            pieces.push(String::new());
        }
        if let Some(piece) = pieces.last_mut() {
            piece.extend(character.to_lowercase());
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// The fewest known words that make up a run-together one; none where it is known itself,
/// or is not made of known words alone.
fn segments(piece: &str) -> Option<Vec<&str>> {
    if piece.len() > 40 || is_known(piece) {
        return None;
    }
    // best[end]: how the text up to `end` is split.
    let mut best: Vec<Option<Vec<&str>>> = vec![None; piece.len() + 1];
    best[0] = Some(Vec::new());
    for end in 1..=piece.len() {
        for start in 0..end {
            let Some(word) = piece.get(start..end).filter(|word| is_known(word)) else {
                continue;
            };
            let Some(before) = best[start].clone() else {
                continue;
            };
            let shorter = best[end]
                .as_ref()
                .is_none_or(|have| before.len() + 1 < have.len());
            if shorter {
                let mut with = before;
                with.push(word);
                best[end] = Some(with);
            }
        }
    }
    best.pop().flatten()
}

fn is_known(word: &str) -> bool {
    KNOWN
        .iter()
        .any(|line| line.split(' ').any(|known| known == word))
}

/// The words that run-together names are made of. Whole words that would fall into others
/// (`namespace`) stand here to keep them whole.
const KNOWN: &[&str] = &[
    // Names, and what qualifies them.
    "name names user username first last middle given family fore forename sur surname maiden full real nick nickname",
    "display legal preferred alias login logon handle screen initials title",
    "owner author sender customer employee patient applicant person creator",
    // Ways to reach somebody.
    "email emails mail address addresses addr phone telephone tel mobile cell fax pager home work office business",
    "send sendto reply to from cc bcc recipient recipients contact info freeform postcode zip zipcode post postal code",
    "street house city town county state country line correspond comment comments",
    // What is known of somebody.
    "date of birth birthday dob birth day year place national insurance nhs number no passport licence license driving",
    "social security tax account card sort bank ip ipaddr mac remote client lat lon lng latitude longitude location",
    "gender sex ethnicity religion nationality photo picture image avatar signature vcard password passwd secret token",
    "api key auth access session sess cookie hash salt id ids",
    // Text.
    "note notes remark remarks message body subject content data description text summary details large headers value",
    "old new reference",
    // Time.
    "created updated modified changed closed resolved ended started finished completed expires expired expiry deleted",
    "received sent signed decided time timestamp clock on at by in up until since till seen used active activity update",
    "check change start end close create modify entry entered",
    // Things, so that their names are not people's.
    "file table host class host template group role item event field object type queue script menu tag column",
    "domain server proxy node interface macro trigger map icon graph resource component category section",
    "custom catalog topic scrip transaction attachment article link ticket principal member members",
    // Kept whole.
    "namespace mailbox hostname filename tablename timeout timezone ipmi ipv",
];

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn a_name_is_the_same_words_in_every_style() {
        for name in [
            "date_of_birth",
            "dateOfBirth",
            "DateOfBirth",
            "DATE_OF_BIRTH",
            "date-of-birth",
            "date of birth",
            "dateofbirth",
            "DATEOFBIRTH",
        ] {
            assert_eq!(words(name), ["date", "of", "birth"], "{name}");
        }
    }

    #[test]
    fn capitals_in_a_row_are_one_word() {
        assert_eq!(words("IPAddress"), ["ip", "address"]);
        assert_eq!(words("userID"), ["user", "id"]);
        assert_eq!(words("NHSNumber"), ["nhs", "number"]);
    }

    #[test]
    fn what_is_not_made_of_known_words_stays_whole() {
        for name in [
            "lifecycle",
            "telescope",
            "namespace",
            "mailbox",
            "status",
            "éclair",
        ] {
            assert_eq!(words(name), [name]);
        }
    }

    #[test]
    fn numbers_are_no_words() {
        assert_eq!(words("address1"), ["address"]);
        assert_eq!(words("poc_2_phone_a"), ["poc", "phone", "a"]);
        assert!(words("_1_").is_empty());
    }
}
