//! What looks personal, and what only sounds like it: a table of real columns' names in the
//! styles that applications write them in, and how each might be anonymised.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use retentiond::catalog::{
    Catalog, Column, ForeignKey, Index, Kind, OnDelete, Privileges, Sort, Table,
};
use retentiond::ident::Ident;
use retentiond::personal::{self, Certainty, Proposal, What};
use retentiond::schedule::Strategy;

fn sort(type_name: &str) -> Sort {
    match type_name.split('(').next().unwrap() {
        "date" => Sort::Date,
        "timestamp without time zone" => Sort::Timestamp,
        "timestamp with time zone" => Sort::TimestampTz,
        "integer" | "bigint" | "smallint" => Sort::Integer,
        "text" | "character varying" | "character" | "citext" => Sort::Text,
        "uuid" => Sort::Uuid,
        "json" => Sort::Json,
        "jsonb" => Sort::Jsonb,
        _ => Sort::Other,
    }
}

/// A table of these columns (`name type`, `!` for NOT NULL), with `id` as its key.
fn table(name: &str, columns: &[&str]) -> Table {
    let mut all = vec!["id! integer"];
    all.extend(columns);
    let columns = all.into_iter().map(|line| {
        let (name, type_name) = line
            .rsplit_once("! ")
            .or_else(|| line.split_once(": "))
            .unwrap_or_else(|| line.split_once(' ').unwrap());
        Column {
            name: Ident::new(name).unwrap(),
            type_name: type_name.to_owned(),
            sort: sort(type_name),
            not_null: line.contains("! "),
            generated: false,
            computed_from: Vec::new(),
            constrained_domain: false,
        }
    });
    Table {
        name: name.parse().unwrap(),
        kind: Kind::Ordinary,
        columns: columns.collect(),
        key: vec![Ident::new("id").unwrap()],
        indexes: Vec::new(),
        triggers: Vec::new(),
        origins: Vec::new(),
        constraints: BTreeMap::new(),
        checks: Vec::new(),
        publications: Vec::new(),
        fill_factor: 100,
        row_security: false,
        privileges: Privileges {
            select: true,
            update: true,
            delete: true,
            vacuum: true,
        },
        estimated_rows: None,
    }
}

/// What the column looks like in a table that says nothing by itself.
fn seen(line: &str) -> Option<(What, Certainty)> {
    in_table("things", line)
}

fn in_table(name: &str, line: &str) -> Option<(What, Certainty)> {
    let table = table(name, &[line]);
    personal::judge(&table)
        .into_iter()
        .next()
        .map(|finding| (finding.what, finding.certainty))
}

#[test]
fn columns_that_are_personal_are_seen_in_every_style() {
    let table: &[(What, &[&str])] = &[
        (
            What::Name,
            &[
                "first_name text",
                "firstName text",
                "FirstName text",
                "firstname text",
                "FIRST_NAME text",
                "last_name text",
                "lastname text",
                "surname text",
                "forename text",
                "family_name text",
                "givenName text",
                "maiden_name text",
                "full_name text",
                "fullname text",
                "realname text",
                "real_name text",
                "displayname text",
                "display_name text",
                "sender_name text",
                "requester_name text",
                "customerName text",
                "contact_name text",
                "patient_name text",
                "signatory_name text",
                "next_of_kin_name text",
                "employee_name text",
                "ownername: text",
                "user_real_name text",
                "initials text",
                "gecos character varying(16)",
                "vcard text",
                "people_shown text",
                "author text",
                "poc_1_name text",
                "installer_name text",
                "name_of_contact: text",
                "complainant text",
            ],
        ),
        (
            What::Username,
            &[
                "username text",
                "user_name text",
                "userName text",
                "login text",
                "alias text",
                "handle text",
                "nickname text",
                "nick_name text",
                "screen_name text",
                "loginname text",
                "created_by text",
                "last_updated_by character varying(64)",
                "twitter_handle text",
            ],
        ),
        (
            What::Email,
            &[
                "email text",
                "e_mail text",
                "e-mail: text",
                "email_address text",
                "emailAddress text",
                "emailaddress text",
                "EmailAddress character varying(120)",
                "sender_email text",
                "work_email text",
                "email_lower text",
                "poc_1_email text",
                "smtp_email text",
                "sendto character varying(1024)",
                "reply-to: text",
                "reply_to text",
                "bcc text",
                "cc text",
                "mail text",
                "mail_from text",
                "mailaddress: text",
                "billing_email citext",
                "recipients text",
            ],
        ),
        (
            What::Phone,
            &[
                "phone text",
                "phone_number text",
                "phoneNumber text",
                "phonenumber text",
                "telephone text",
                "tel text",
                "tel_no text",
                "mobile text",
                "mobile_phone text",
                "mobilephone text",
                "homephone text",
                "HomePhone text",
                "workphone text",
                "pagerphone text",
                "poc_1_phone_a text",
                "poc_1_cell text",
                "fax text",
                "msisdn bigint",
                "sender_phone text",
            ],
        ),
        (
            What::Address,
            &[
                "address text",
                "address1 text",
                "address_2 text",
                "address_line_1 text",
                "addressLine1 text",
                "addr text",
                "home_address text",
                "homeaddress text",
                "street text",
                "house_number text",
                "postal_address text",
                "billing_address text",
                "site_address_a text",
                "correspondaddress text",
                "place_of_birth text",
            ],
        ),
        (
            What::Postcode,
            &[
                "postcode text",
                "post_code text",
                "postCode text",
                "postal_code text",
                "postalcode text",
                "zip text",
                "zip_code text",
                "zipcode text",
                "home_postcode text",
                "site_zip text",
            ],
        ),
        (
            What::BirthDate,
            &[
                "dob date",
                "date_of_birth date",
                "dateOfBirth date",
                "dateofbirth date",
                "birth_date date",
                "birthdate text",
                "birthday date",
                "birthDay: date",
                "year_of_birth integer",
                "customer_dob date",
            ],
        ),
        (
            What::PersonalNumber,
            &[
                "nino text",
                "ni_number text",
                "niNumber text",
                "national_insurance_number text",
                "national_insurance_no text",
                "nhs_number text",
                "nhsnumber text",
                "NHSNumber bigint",
                "nhs_no text",
                "ssn text",
                "social_security_number text",
                "passport_number text",
                "passport_no text",
                "driving_licence_number text",
                "driver_licence_no text",
                "tax_id text",
                "staff_number text",
                "employee_no integer",
                "hospital_number text",
            ],
        ),
        (
            What::Bank,
            &[
                "iban text",
                "sort_code text",
                "sortcode text",
                "account_number text",
                "card_number text",
                "cvv text",
            ],
        ),
        (
            What::IpAddress,
            &[
                "ip text",
                "ip_address text",
                "ipaddress text",
                "ipAddress text",
                "IPAddress text",
                "ip_addr text",
                "client_ip text",
                "remote_addr text",
                "last_login_ip text",
                "attempt_ip text",
                "seen_from inet",
                "net cidr",
            ],
        ),
        (
            What::Location,
            &[
                "latitude numeric(9,6)",
                "longitude double precision",
                "lat double precision",
                "lng numeric",
                "home_lon real",
                "location_lat text",
                "geo text",
                "gps text",
            ],
        ),
        (
            What::Characteristic,
            &[
                "gender text",
                "sex text",
                "ethnicity text",
                "ethnic_origin text",
                "religion text",
                "nationality text",
                "marital_status text",
                "sexual_orientation text",
                "disability boolean",
                "diagnosis text",
                "blood_group text",
            ],
        ),
        (
            What::Likeness,
            &[
                "photo bytea",
                "photograph bytea",
                "picture bytea",
                "avatar text",
                "portrait oid",
                "fingerprint bytea",
                "passport_photo bytea",
            ],
        ),
        (
            What::Signature,
            &["signature text", "email_signature: text"],
        ),
        (
            What::Secret,
            &[
                "password text",
                "passwd text",
                "pwd text",
                "password_hash text",
                "passwordHash text",
                "userpassword: text",
                "api_key text",
                "apiKey text",
                "apikey text",
                "auth_token text",
                "authtoken text",
                "authToken text",
                "token text",
                "secret text",
                "client_secret text",
                "private_key text",
                "session_id text",
                "sessionid text",
                "sess_id text",
                "a_session bytea",
                "cookie text",
                "salt text",
                "ldap_bind_password text",
                "recovery_code text",
            ],
        ),
        (
            What::FreeText,
            &[
                "note text",
                "notes text",
                "case_notes text",
                "comment text",
                "comments text",
                "remarks text",
                "body text",
                "message text",
                "transcript text",
                "letter text",
                "statement text",
                "feedback text",
                "cv text",
                "freeformcontactinfo text",
                "free_text text",
                "request_text text",
                "poc_1_notes text",
                "bio text",
                "covering_letter text",
            ],
        ),
    ];
    let mut wrong = Vec::new();
    let mut looked = 0;
    for (what, lines) in table {
        for line in *lines {
            looked += 1;
            let found = seen(line);
            if found != Some((*what, Certainty::Likely)) {
                wrong.push(format!("{line}: {found:?}, not {what:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(looked > 230, "{looked}");
}

#[test]
fn what_only_sounds_personal_is_not() {
    let friends = [
        "name text",
        "filename text",
        "file_name text",
        "fileName text",
        "tablename text",
        "table_name text",
        "hostname text",
        "host_name text",
        "class_name text",
        "event_name text",
        "severity_name_0 text",
        "menu_name text",
        "column_name text",
        "group_name text",
        "role_name text",
        "template_name text",
        "display text",
        "namespace text",
        "domain_name text",
        "server_name text",
        "product_name text",
        "email_verified boolean",
        "email_verified_at timestamp with time zone",
        "email_id integer",
        "email_count integer",
        "email_format text",
        "email_template text",
        "mail_host text",
        "mailbox text",
        "mail_server text",
        "email_enabled: text",
        "phone_type text",
        "phone_id integer",
        "is_mobile boolean",
        "telescope text",
        "address_id integer",
        "address_type text",
        "proxy_address text",
        "mac_table text",
        "memory_address text",
        "web_address text",
        "ip_range text",
        "ip_version integer",
        "ipmi_sensor text",
        "recipe text",
        "shipping integer",
        "description text[]",
        "password_changed_at timestamp with time zone",
        "password_attempts integer",
        "token_type text",
        "username_attribute text",
        "saml_username_attribute text",
        "login timestamp with time zone",
        "last_login timestamp with time zone",
        "created_by integer",
        "creator integer",
        "lastupdatedby integer",
        "standby text",
        "html_signature smallint",
        "note_id integer",
        "comment_count integer",
        "message_id integer",
        "body_length integer",
        "status text",
        "state text",
        "country text",
        "city text",
        "lifecycle text",
        "platform text",
        "template text",
        "birth_count integer",
        "stage text",
        "language text",
        "usage text",
        "page integer",
        "package text",
        "essex_office text",
        "translation text",
        "lattice text",
        "region text",
        "capacity integer",
        "zipfile text",
        "contact_id uuid",
        "author_id bigint",
        "signed_on date",
        "cell_count integer",
        "owner integer",
        "snmpv3_securityname text",
        "http_user_agent_policy text",
        "filename_pattern text",
        "sort_order integer",
        "account_type text",
        "card_type text",
        "photo_count integer",
        "session_timeout integer",
        "timezone text",
        "headers text",
    ];
    let wrong: Vec<String> = friends
        .iter()
        .filter_map(|line| seen(line).map(|found| format!("{line}: {found:?}")))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Worth a look where the table is looked at anyway, and no more.
#[test]
fn what_may_be_anything_is_only_possible() {
    let possible = [
        (What::FreeText, "subject text"),
        (What::FreeText, "description text"),
        (What::FreeText, "content text"),
        (What::FreeText, "extracted_text text"),
        (What::FreeText, "details text"),
        (What::Document, "answers jsonb"),
        (What::Document, "payload json"),
        (What::Document, "scan bytea"),
        (What::Device, "user_agent text"),
        (What::Device, "mac_address text"),
        (What::Device, "nic macaddr"),
        (What::Location, "location text"),
        (What::Location, "position point"),
        (What::Characteristic, "age integer"),
        (What::Characteristic, "age_band text"),
    ];
    for (what, line) in possible {
        assert_eq!(seen(line), Some((what, Certainty::Possible)), "{line}");
    }
}

#[test]
fn a_name_is_a_persons_in_a_table_about_people_or_beside_other_personal_data() {
    for about_people in [
        "users",
        "customer",
        "app_users",
        "staff",
        "contacts",
        "Employees",
        "identities",
    ] {
        assert_eq!(
            in_table(about_people, "name text"),
            Some((What::Name, Certainty::Likely)),
            "{about_people}"
        );
    }
    for about_things in [
        "roles",
        "user_groups",
        "contactgroups",
        "products",
        "usertypes",
        "hosts",
    ] {
        assert_eq!(in_table(about_things, "name text"), None, "{about_things}");
    }
    let beside = table("collected_addresses", &["name text", "email text"]);
    let found: Vec<What> = personal::judge(&beside)
        .iter()
        .map(|finding| finding.what)
        .collect();
    assert_eq!(found, [What::Name, What::Email]);
}

#[test]
fn places_count_beside_an_address_and_values_beside_their_counterpart() {
    let whats = |table: &Table| -> Vec<(String, What)> {
        personal::judge(table)
            .iter()
            .map(|finding| (finding.column.name.to_string(), finding.what))
            .collect()
    };
    let address = table("sites", &["street text", "city text", "country text"]);
    assert_eq!(whats(&address).len(), 3);
    let copies = table("transactions", &["oldvalue text", "newvalue text"]);
    assert_eq!(
        whats(&copies),
        [
            ("oldvalue".to_owned(), What::Copy),
            ("newvalue".to_owned(), What::Copy)
        ]
    );
    assert_eq!(
        whats(&table("mapping", &["newvalue character varying(64)"])),
        []
    );
    let mails = table("attachments", &["subject text", "headers text"]);
    assert_eq!(whats(&mails)[1], ("headers".to_owned(), What::FreeText));
}

/// The address of a machine may be anybody's or nobody's.
#[test]
fn machines_have_addresses_of_their_own() {
    for (name, line) in [
        ("interface", "ip text"),
        ("things", "listen_ip text"),
        ("host_inventory", "oob_ip text"),
    ] {
        assert_eq!(
            in_table(name, line),
            Some((What::IpAddress, Certainty::Possible)),
            "{name}.{line}"
        );
    }
    assert_eq!(in_table("ha_node", "address text"), None);
}

fn proposed(table: &Table, catalog: &Catalog) -> Vec<(String, Proposal)> {
    personal::judge(table)
        .iter()
        .map(|finding| {
            (
                finding.column.name.to_string(),
                personal::propose(finding, table, catalog),
            )
        })
        .collect()
}

#[test]
fn each_strategy_fits_the_type_and_the_constraints() {
    let mut people = table(
        "people",
        &[
            "full_name! text",
            "email text",
            "date_of_birth! date",
            "dob text",
            "postcode! character varying(8)",
            "zip! character varying(10)",
            "pin_password! character varying(6)",
            "avatar! bytea",
            "photo bytea",
            "username! text",
            "login! character varying(40)",
            "alias character varying(8)",
            "seen_from! inet",
            "nick_name! text",
            "created_by! text",
            "author_email! text",
        ],
    );
    people.column_mut("created_by").generated = true;
    let unique = |columns: &[&str]| Index {
        name: columns.join("_"),
        columns: columns
            .iter()
            .map(|column| Some(Ident::new(*column).unwrap()))
            .collect(),
        reads: Vec::new(),
        partial: false,
        ordered: true,
        unique: true,
        nulls_equal: false,
        excludes: false,
    };
    people.indexes = vec![
        unique(&["username"]),
        unique(&["login"]),
        unique(&["alias"]),
    ];
    let people_name = people.name.clone();
    let mut catalog = Catalog::default();
    let key = |from: &str, from_column: &str, to: &str, to_column: &str| ForeignKey {
        name: "key".to_owned(),
        from: from.parse().unwrap(),
        from_columns: vec![Ident::new(from_column).unwrap()],
        to: to.parse().unwrap(),
        to_columns: vec![Ident::new(to_column).unwrap()],
        on_delete: OnDelete::NoAction,
    };
    catalog.foreign_keys = vec![
        key("posts", "nick", "people", "nick_name"),
        key("people", "author_email", "authors", "email"),
    ];
    catalog.tables.insert(people_name, people.clone());
    let not = Proposal::Not;
    let with = Proposal::With;
    let expected = [
        ("full_name", with(Strategy::Redact)),
        ("email", with(Strategy::Null)),
        ("date_of_birth", with(Strategy::Year)),
        ("dob", with(Strategy::Null)),
        ("postcode", with(Strategy::Area)),
        ("zip", with(Strategy::Redact)),
        (
            "pin_password",
            not("NOT NULL, and too short for `[redacted]`"),
        ),
        (
            "avatar",
            not("NOT NULL, and of a type in which nothing else can be written"),
        ),
        ("photo", with(Strategy::Null)),
        ("username", with(Strategy::Pseudonym)),
        (
            "login",
            not("NOT NULL and unique, and too short for a pseudonym"),
        ),
        ("alias", with(Strategy::Null)),
        (
            "seen_from",
            not("NOT NULL, and of a type in which nothing else can be written"),
        ),
        ("nick_name", not("other tables refer to it")),
        (
            "created_by",
            not("the database computes it from other columns"),
        ),
        ("author_email", not("it refers to another table")),
    ];
    let expected: Vec<(String, Proposal)> = expected
        .into_iter()
        .map(|(name, what)| (name.to_owned(), what))
        .collect();
    assert_eq!(proposed(&people, &catalog), expected);
}

/// What an index on an expression reads is not known, so that every text might have to differ.
#[test]
fn an_index_on_an_expression_may_cover_any_text() {
    let mut users = table("users", &["name! character varying(200)", "dob! date"]);
    users.indexes = vec![Index {
        name: "users1".to_owned(),
        columns: vec![None],
        reads: Vec::new(),
        partial: false,
        ordered: true,
        unique: true,
        nulls_equal: false,
        excludes: false,
    }];
    let expected = [
        ("name".to_owned(), Proposal::With(Strategy::Pseudonym)),
        ("dob".to_owned(), Proposal::With(Strategy::Year)),
    ];
    assert_eq!(proposed(&users, &Catalog::default()), expected);
}

#[test]
fn a_key_is_never_to_be_anonymised() {
    let mut sessions = table("session", &["sess_id! text"]);
    sessions.key = vec![Ident::new("sess_id").unwrap()];
    let found = proposed(&sessions, &Catalog::default());
    // The number that the table has beside it opens a session as well.
    assert_eq!(
        found[0].1,
        Proposal::Not("part of the primary key, by which records are named")
    );
}

trait Mutable {
    fn column_mut(&mut self, name: &str) -> &mut Column;
}

impl Mutable for Table {
    fn column_mut(&mut self, name: &str) -> &mut Column {
        self.columns
            .iter_mut()
            .find(|column| column.name.as_str() == name)
            .unwrap()
    }
}
