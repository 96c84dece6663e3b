//! The rules by which a column looks personal: on its words, its type, its table's words,
//! and the columns beside it.

use super::words::words;
use super::{Certainty, Finding, What};
use crate::catalog::{Column, Sort, Table};

/// Who a table or a column may be about.
const PEOPLE: &[&str] = &[
    "user",
    "person",
    "people",
    "customer",
    "client",
    "contact",
    "employee",
    "staff",
    "worker",
    "member",
    "applicant",
    "candidate",
    "patient",
    "pupil",
    "student",
    "teacher",
    "tutor",
    "guardian",
    "carer",
    "child",
    "citizen",
    "resident",
    "householder",
    "occupant",
    "occupier",
    "claimant",
    "complainant",
    "requester",
    "requestor",
    "sender",
    "recipient",
    "author",
    "signatory",
    "witness",
    "victim",
    "suspect",
    "offender",
    "defendant",
    "participant",
    "respondent",
    "subscriber",
    "visitor",
    "guest",
    "donor",
    "volunteer",
    "passenger",
    "holder",
    "cardholder",
    "payee",
    "payer",
    "buyer",
    "seller",
    "attendee",
    "delegate",
    "interviewee",
    "interviewer",
    "caseworker",
    "officer",
    "manager",
    "supervisor",
    "doctor",
    "physician",
    "gp",
    "nurse",
    "kin",
    "spouse",
    "mother",
    "father",
    "beneficiary",
    "debtor",
    "installer",
    "caller",
    "player",
    "identity",
    "poc",
    "nominee",
    "referee",
    "trustee",
    "director",
    "lodger",
    "operator",
    "owner",
    "assignee",
    "reporter",
    "reviewer",
    "creditor",
    "inmate",
    "prisoner",
    "solicitor",
];

/// Machines, and what belongs to them: their addresses and names are not a person's.
const MACHINES: &[&str] = &[
    "server",
    "host",
    "hostname",
    "proxy",
    "node",
    "interface",
    "device",
    "machine",
    "listen",
    "bind",
    "oob",
    "netmask",
    "router",
    "printer",
    "domain",
    "ipmi",
    "smtp",
    "snmp",
    "ldap",
    "http",
    "ssl",
    "db",
    "database",
    "dns",
    "service",
    "services",
    "dservices",
    "inventory",
    "network",
];

/// The last words of columns that tell something *about* the thing, not the thing.
const ABOUT: &[&str] = &[
    "id",
    "ids",
    "count",
    "counter",
    "type",
    "kind",
    "status",
    "flag",
    "enabled",
    "disabled",
    "verified",
    "confirmed",
    "valid",
    "invalid",
    "format",
    "template",
    "length",
    "size",
    "order",
    "sort",
    "policy",
    "attempts",
    "attribute",
    "regex",
    "pattern",
    "port",
    "provider",
    "required",
    "mask",
    "range",
    "version",
    "role",
    "level",
    "mode",
    "encoding",
    "charset",
    "host",
    "server",
    "domain",
    "domains",
    "expiry",
    "limit",
    "source",
    "category",
    "label",
    "retries",
    "model",
    "interval",
    "timeout",
    "visible",
    "public",
    "subscribed",
    "bounced",
    "method",
    "algorithm",
];

const GIVEN: &[&str] = &[
    "first",
    "last",
    "middle",
    "given",
    "family",
    "fore",
    "sur",
    "maiden",
    "full",
    "real",
    "legal",
    "preferred",
    "birth",
    "christian",
    "nick",
    "display",
];

pub(super) fn judge(table: &Table) -> Vec<Finding<'_>> {
    let around = Around::of(table);
    table
        .columns
        .iter()
        .filter_map(|column| {
            let (what, certainty, because) = around.look(column)?;
            Some(Finding {
                column,
                what,
                certainty,
                because: because.to_owned(),
            })
        })
        .collect()
}

/// What the table says about its columns.
struct Around {
    /// The table is about people.
    people: bool,
    /// The table is about machines.
    machines: bool,
    /// Sessions.
    sessions: bool,
    /// A column beside it could only be a person's.
    personal_neighbour: bool,
    /// An address or a postcode is among the columns.
    address: bool,
    /// Both an old and a new value are.
    old_and_new: bool,
    /// It looks like a table of mails.
    mails: bool,
}

type Verdict = Option<(What, Certainty, &'static str)>;

const BY_NAME: &str = "by its name";
const BY_TYPE: &str = "by its type";

impl Around {
    fn of(table: &Table) -> Self {
        let own = words(table.name.name().as_str());
        let is = |list: &[&str], word: &str| {
            list.contains(&word) || list.contains(&singular(word).as_str())
        };
        let columns: Vec<Vec<String>> = table
            .columns
            .iter()
            .map(|column| words(column.name.as_str()))
            .collect();
        let has = |wanted: &[&[&str]]| {
            columns
                .iter()
                .any(|column| wanted.iter().any(|sequence| ends_with(column, sequence)))
        };
        Self {
            // What the last word names is what a row is: `user_groups` are groups.
            people: own.last().is_some_and(|word| is(PEOPLE, word)),
            machines: own.iter().any(|word| is(MACHINES, word)),
            sessions: own.last().is_some_and(|word| is(&["session"], word)),
            personal_neighbour: columns.iter().any(|column| {
                let column: Vec<&str> = column.iter().map(String::as_str).collect();
                matches!(
                    column.as_slice(),
                    ["email"]
                        | ["email", "address"]
                        | ["surname"]
                        | ["first" | "last" | "sur", "name"]
                        | ["dob"]
                        | ["date", "of", "birth"]
                )
            }),
            address: has(&[
                &["street"],
                &["postcode"],
                &["post", "code"],
                &["postal", "code"],
                &["zip"],
                &["zip", "code"],
                &["address"],
                &["addr"],
                &["address", "line"],
            ]),
            old_and_new: ["old", "new"].iter().all(|age| has(&[&[age, "value"]])),
            mails: has(&[&["headers"]])
                && has(&[&["subject"], &["message", "id"], &["content"], &["body"]]),
        }
    }

    fn look(&self, column: &Column) -> Verdict {
        use Certainty::{Likely, Possible};
        // Yes or no is a characteristic at most, and a moment is a birth at most.
        let text = column.sort == Sort::Text || is_text_array(column);
        let document = matches!(column.sort, Sort::Json | Sort::Jsonb);
        let bytes = column.type_name == "bytea";
        let words = words(column.name.as_str());
        let w: Vec<&str> = words.iter().map(String::as_str).collect();
        let head = without_suffix(&w);
        if let Some(verdict) = by_type(column, self) {
            return Some(verdict);
        }
        if let Some(verdict) = self.birth(column, &w) {
            return Some(verdict);
        }
        if matches!(
            column.sort,
            Sort::Date | Sort::Timestamp | Sort::TimestampTz
        ) || column.sort == Sort::Uuid && !has(&w, "token")
        {
            return None;
        }
        let number = column.sort == Sort::Integer || column.type_name.starts_with("numeric");
        if (text || bytes) && self.secret(&w) {
            return Some((What::Secret, Likely, BY_NAME));
        }
        if (text || number) && personal_number(&w) {
            return Some((What::PersonalNumber, Likely, BY_NAME));
        }
        if (text || number) && bank(&w) {
            return Some((What::Bank, Likely, BY_NAME));
        }
        if let Some(certainty) = characteristic(&w, column) {
            return Some((What::Characteristic, certainty, BY_NAME));
        }
        if location(&w) && (text || is_fraction(column)) {
            let certainty = if self.machines || has(&w, "location") && w.len() == 1 {
                Possible
            } else {
                Likely
            };
            return Some((What::Location, certainty, BY_NAME));
        }
        if (bytes || text || column.type_name == "oid")
            && has_any(
                &w,
                &[
                    "photo",
                    "photograph",
                    "picture",
                    "avatar",
                    "portrait",
                    "selfie",
                    "mugshot",
                    "fingerprint",
                    "biometric",
                    "voiceprint",
                    "faceprint",
                ],
            )
            && !about(&w)
        {
            return Some((What::Likeness, Likely, BY_NAME));
        }
        if bytes {
            return Some((
                What::Document,
                Possible,
                "by its type: bytes, perhaps a document or a picture",
            ));
        }
        if document {
            return Some((
                What::Document,
                Possible,
                "by its type: a value with parts of its own",
            ));
        }
        if (text || number) && phone(head) && !about(&w) {
            let certainty = if w == ["cell"] || w == ["mobile"] && number {
                Possible
            } else {
                Likely
            };
            return Some((What::Phone, certainty, BY_NAME));
        }
        if (text || number)
            && (ends(head, &["postcode"])
                || ends(head, &["post", "code"])
                || ends(head, &["postal", "code"])
                || ends(head, &["zip"])
                || ends(head, &["zip", "code"])
                || ends(head, &["zipcode"]))
        {
            return Some((What::Postcode, Likely, BY_NAME));
        }
        if !text {
            return None;
        }
        self.text(column, &w, head)
    }

    /// Columns of text, once numbers and secrets are told.
    fn text(&self, column: &Column, w: &[&str], head: &[&str]) -> Verdict {
        use Certainty::{Likely, Possible};
        if self.old_and_new && ["old", "new"].iter().any(|age| w == [age, "value"]) {
            return Some((
                What::Copy,
                Likely,
                "beside its counterpart: old and new value",
            ));
        }
        if has_any(w, &["ip", "ipaddr", "ipv"]) && !about(w)
            || ends(head, &["remote", "addr"])
            || ends(head, &["remote", "address"])
            || ends(head, &["client", "addr"])
        {
            let machine = self.machines || has_any(w, MACHINES);
            return Some(if machine {
                (What::IpAddress, Possible, "though it may be a machine's")
            } else {
                (What::IpAddress, Likely, BY_NAME)
            });
        }
        if ends(head, &["mac"])
            || ends(head, &["mac", "address"])
            || ends(head, &["mac", "addr"])
            || has_any(w, &["macaddress", "imei", "imsi"]) && !about(w)
            || ends(head, &["user", "agent"])
            || w == ["useragent"]
            || ends(w, &["device", "id"])
        {
            return Some((What::Device, Possible, BY_NAME));
        }
        if let Some(verdict) = self.prose(column, w, head) {
            return Some(verdict);
        }
        if ends(head, &["signature"]) {
            return Some((What::Signature, Likely, BY_NAME));
        }
        if has_any(w, &["email", "emails"]) && !about(w)
            || ends(w, &["e", "mail"])
            || w == ["mail"]
            || recipients(w)
        {
            return Some((What::Email, Likely, BY_NAME));
        }
        if let Some(verdict) = self.address(w, head) {
            return Some(verdict);
        }
        if let Some(verdict) = self.name(w, head) {
            return Some(verdict);
        }
        if w == ["vcard"] {
            return Some((What::Name, Likely, BY_NAME));
        }
        (self.sessions && unbounded(column)).then_some((
            What::Secret,
            Likely,
            "by its table: sessions",
        ))
    }

    fn birth(&self, column: &Column, w: &[&str]) -> Verdict {
        let born = has_any(w, &["dob", "birthday", "birthdate", "born"])
            || contains(w, &["date", "of", "birth"])
            || contains(w, &["birth", "date"])
            || contains(w, &["birth", "day"])
            || contains(w, &["birth", "year"])
            || contains(w, &["year", "of", "birth"]);
        let fits = matches!(
            column.sort,
            Sort::Date | Sort::Timestamp | Sort::TimestampTz | Sort::Text | Sort::Integer
        );
        (born && fits && !about(w)).then_some((What::BirthDate, Certainty::Likely, BY_NAME))
    }

    fn secret(&self, w: &[&str]) -> bool {
        let named = has_any(
            w,
            &[
                "password",
                "passwords",
                "passwd",
                "pwd",
                "passphrase",
                "secret",
                "token",
                "apikey",
                "otp",
                "totp",
                "salt",
                "cookie",
                "credential",
                "credentials",
            ],
        ) || contains(w, &["api", "key"])
            || contains(w, &["private", "key"])
            || contains(w, &["recovery", "code"])
            || contains(w, &["security", "answer"]);
        // A session's number is what opens it.
        let session = ends(w, &["session"])
            || ends(w, &["session", "id"])
            || ends(w, &["session", "key"])
            || ends(w, &["session", "data"])
            || ends(w, &["sess", "id"])
            || self.sessions && w == ["id"];
        session || named && !about(w)
    }

    fn prose(&self, column: &Column, w: &[&str], head: &[&str]) -> Verdict {
        use Certainty::{Likely, Possible};
        let last = head.last().copied().unwrap_or_default();
        let loose = [
            "note",
            "notes",
            "comment",
            "comments",
            "remark",
            "remarks",
            "message",
            "body",
            "transcript",
            "letter",
            "testimony",
            "narrative",
            "feedback",
            "complaint",
            "biography",
            "bio",
            "cv",
            "resume",
            "correspondence",
            "motivation",
            "statement",
        ];
        if loose.contains(&last)
            || ends(w, &["freeform"])
            || ends(head, &["free", "text"])
            || ends(head, &["request", "text"])
            || ends(head, &["about", "me"])
            || contains(w, &["contact", "info"])
        {
            return Some((What::FreeText, Likely, BY_NAME));
        }
        if last == "headers" && self.mails {
            return Some((
                What::FreeText,
                Likely,
                "the headers of mails, with senders and recipients",
            ));
        }
        if [
            "subject",
            "content",
            "text",
            "summary",
            "data",
            "details",
            "description",
            "value",
        ]
        .contains(&last)
            && (unbounded(column) || last == "subject" || last == "details" || last == "data")
        {
            return Some((What::FreeText, Possible, BY_NAME));
        }
        None
    }

    fn address(&self, w: &[&str], head: &[&str]) -> Verdict {
        use Certainty::{Likely, Possible};
        let address = ends(head, &["address"])
            || ends(head, &["addresses"])
            || ends(head, &["addr"])
            || ends(head, &["address", "line"])
            || ends(head, &["street"])
            || ends(head, &["street", "line"])
            || ends(head, &["house", "number"])
            || ends(head, &["house", "name"])
            || ends(head, &["birth", "place"])
            || ends(head, &["place", "of", "birth"]);
        let elsewhere = has_any(w, MACHINES)
            || has_any(w, &["web", "url", "memory", "contract"])
            || self.machines && w == ["address"];
        if address && !elsewhere {
            return Some((What::Address, Likely, BY_NAME));
        }
        let locality = [
            "city", "town", "county", "state", "region", "country", "borough", "district",
            "village",
        ];
        (self.address && head.last().is_some_and(|last| locality.contains(last))).then_some((
            What::Address,
            Possible,
            "beside an address",
        ))
    }

    fn name(&self, w: &[&str], head: &[&str]) -> Verdict {
        use Certainty::{Likely, Possible};
        let whole = [
            "surname",
            "forename",
            "firstname",
            "lastname",
            "fullname",
            "realname",
            "middlename",
            "maidenname",
            "familyname",
            "givenname",
            "initials",
            "gecos",
        ];
        if head.last().is_some_and(|last| whole.contains(last)) {
            return Some((What::Name, Likely, BY_NAME));
        }
        let machine = has_any(
            w,
            &[
                "ipmi",
                "http",
                "smtp",
                "snmp",
                "proxy",
                "ldap",
                "ssl",
                "db",
                "database",
                "bind",
                "attribute",
            ],
        );
        let sign_in = ends(head, &["user", "name"])
            || [
                "username", "login", "logon", "handle", "alias", "nickname", "nick",
            ]
            .iter()
            .any(|word| ends(head, &[word]))
            || ends(head, &["nick", "name"])
            || ends(head, &["login", "name"])
            || ends(head, &["logon", "name"])
            || ends(head, &["screen", "name"]);
        if sign_in && !machine && !about(w) {
            let certainty = if self.machines && head == ["alias"] {
                Possible
            } else {
                Likely
            };
            return Some((What::Username, certainty, BY_NAME));
        }
        // Who did it: `created_by`, where it is text.
        if let [.., verb, "by"] = w
            && (verb.ends_with("ed")
                || ["written", "by", "made", "taken", "given", "seen"].contains(verb))
        {
            return Some((What::Username, Likely, "who did it"));
        }
        if let [.., before, "name"] = head {
            if GIVEN.contains(before)
                || PEOPLE.contains(before)
                || PEOPLE.contains(&singular(before).as_str())
            {
                return Some((What::Name, Likely, BY_NAME));
            }
            // `event_name`, `file_name` and the like are things'.
            return None;
        }
        if matches!(head, ["name"] | ["names"]) {
            if self.people {
                return Some((What::Name, Likely, "in a table about people"));
            }
            if self.personal_neighbour && !self.machines {
                return Some((What::Name, Likely, "beside other data about a person"));
            }
            return None;
        }
        let someone = [
            "contact",
            "sender",
            "recipient",
            "author",
            "requester",
            "requestor",
            "customer",
            "patient",
            "applicant",
            "complainant",
            "claimant",
            "witness",
            "signatory",
            "caller",
            "donor",
            "people",
            "person",
            "referee",
            "caseworker",
            "handler",
            "assignee",
        ];
        let [.., last] = head else { return None };
        if someone.contains(last) || contains(w, &["people", "shown"]) {
            let certainty = if self.machines { Possible } else { Likely };
            return Some((What::Name, certainty, BY_NAME));
        }
        None
    }
}

fn by_type(column: &Column, around: &Around) -> Verdict {
    let bare = column
        .type_name
        .split(['(', ' '])
        .next()
        .unwrap_or_default();
    match bare {
        "inet" | "cidr" => Some((
            What::IpAddress,
            if around.machines {
                Certainty::Possible
            } else {
                Certainty::Likely
            },
            BY_TYPE,
        )),
        "macaddr" | "macaddr8" => Some((What::Device, Certainty::Possible, BY_TYPE)),
        "geometry" | "geography" | "point" => Some((What::Location, Certainty::Possible, BY_TYPE)),
        _ => None,
    }
}

fn personal_number(w: &[&str]) -> bool {
    let numbered = |before: &[&str]| {
        ["number", "no", "num", "nr"].iter().any(|last| {
            let mut whole = before.to_vec();
            whole.push(last);
            ends(w, &whole)
        })
    };
    has_any(w, &["nino", "ssn", "utr", "bsn"])
        || numbered(&["ni"])
        || numbered(&["nhs"])
        || numbered(&["chi"])
        || contains(w, &["national", "insurance"])
        || contains(w, &["social", "security"])
        || ends(w, &["national", "id"])
        || ends(w, &["tax", "id"])
        || ends(w, &["passport"])
        || numbered(&["passport"])
        || contains(w, &["driving", "licence"])
        || contains(w, &["driving", "license"])
        || contains(w, &["drivers", "license"])
        || contains(w, &["driver", "licence"])
        || contains(w, &["driver", "license"])
        || numbered(&["licence"])
        || [
            "staff", "employee", "payroll", "hospital", "patient", "pupil", "student", "prisoner",
            "warrant",
        ]
        .iter()
        .any(|who| numbered(&[who]))
}

fn bank(w: &[&str]) -> bool {
    has_any(w, &["iban", "cvv", "cvc"])
        || ends(w, &["sort", "code"])
        || ends(w, &["account", "number"])
        || ends(w, &["account", "no"])
        || ends(w, &["card", "number"])
        || ends(w, &["card", "no"])
        || ends(w, &["bank", "account"])
}

fn characteristic(w: &[&str], column: &Column) -> Option<Certainty> {
    let last = w.last().copied().unwrap_or_default();
    let known = [
        "gender",
        "sex",
        "ethnicity",
        "ethnic",
        "religion",
        "belief",
        "nationality",
        "disability",
        "disabilities",
        "pronouns",
        "diagnosis",
        "allergy",
        "allergies",
        "medication",
        "pregnancy",
        "conviction",
        "convictions",
        "sexuality",
    ];
    if known.contains(&last)
        || contains(w, &["sexual", "orientation"])
        || contains(w, &["marital", "status"])
        || contains(w, &["ethnic", "origin"])
        || contains(w, &["ethnic", "group"])
        || contains(w, &["blood", "group"])
        || contains(w, &["trade", "union"])
    {
        return Some(Certainty::Likely);
    }
    let age = w == ["age"] || contains(w, &["age", "band"]) || contains(w, &["age", "group"]);
    (age && matches!(column.sort, Sort::Text | Sort::Integer)).then_some(Certainty::Possible)
}

fn location(w: &[&str]) -> bool {
    has_any(
        w,
        &[
            "latitude",
            "longitude",
            "coordinates",
            "geolocation",
            "gps",
            "easting",
            "northing",
        ],
    ) || ["lat", "lng", "lon", "geo"]
        .iter()
        .any(|last| ends(w, &[last]))
        || w == ["location"]
}

fn phone(w: &[&str]) -> bool {
    let number: &[&str] = &[
        "phone",
        "phones",
        "telephone",
        "tel",
        "mobile",
        "cellphone",
        "cell",
        "fax",
        "pager",
        "landline",
        "msisdn",
        "whatsapp",
    ];
    match w {
        [.., last] if number.contains(last) => true,
        [.., before, "number" | "no" | "num"] => number.contains(before),
        _ => false,
    }
}

fn recipients(w: &[&str]) -> bool {
    matches!(
        w,
        ["sendto"]
            | ["send", "to"]
            | ["reply", "to"]
            | ["replyto"]
            | ["cc"]
            | ["bcc"]
            | ["mail", "to" | "from" | "cc" | "bcc"]
            | ["recipients"]
    ) || ends(w, &["mail", "address"])
}

fn about(w: &[&str]) -> bool {
    w.len() > 1 && w.last().is_some_and(|last| ABOUT.contains(last))
}

/// Without what only says in which form it is: `email_lower`, `phone_a`, `name_encrypted`.
fn without_suffix<'a, 'b>(w: &'b [&'a str]) -> &'b [&'a str] {
    let forms = [
        "lower",
        "upper",
        "raw",
        "normalised",
        "normalized",
        "encrypted",
        "enc",
        "plain",
        "a",
        "b",
        "c",
        "txt",
        "str",
    ];
    match w {
        [before @ .., last] if !before.is_empty() && forms.contains(last) => without_suffix(before),
        _ => w,
    }
}

fn singular(word: &str) -> String {
    if let Some(stem) = word.strip_suffix("ies") {
        return format!("{stem}y");
    }
    word.strip_suffix('s').unwrap_or(word).to_owned()
}

fn unbounded(column: &Column) -> bool {
    column.sort == Sort::Text && !column.type_name.contains('(')
}

fn is_text_array(column: &Column) -> bool {
    column.type_name.ends_with("[]")
        && ["text", "character varying", "citext"]
            .iter()
            .any(|base| column.type_name.starts_with(base))
}

fn is_fraction(column: &Column) -> bool {
    ["numeric", "double precision", "real"]
        .iter()
        .any(|base| column.type_name.starts_with(base))
}

fn has(w: &[&str], word: &str) -> bool {
    w.contains(&word)
}

fn has_any(w: &[&str], any: &[&str]) -> bool {
    w.iter().any(|word| any.contains(word))
}

fn ends(w: &[&str], sequence: &[&str]) -> bool {
    w.ends_with(sequence)
}

fn ends_with(w: &[String], sequence: &[&str]) -> bool {
    w.len() >= sequence.len()
        && w[w.len() - sequence.len()..]
            .iter()
            .zip(sequence)
            .all(|(a, b)| a == b)
}

fn contains(w: &[&str], sequence: &[&str]) -> bool {
    w.windows(sequence.len()).any(|window| window == sequence)
}
