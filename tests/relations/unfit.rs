//! Relations that do not fit the database: what is said, and the way out.

use crate::asking::remarks;
use crate::stage::{self, HEAD, class};
use crate::tickets;

const SQL: &str = "
CREATE TABLE ticket (id bigint PRIMARY KEY, closed_on date, number text, slot text UNIQUE);
CREATE INDEX ON ticket (closed_on);
CREATE TABLE note (id bigint PRIMARY KEY, ticket bigint, kind text, slot citext_like);
CREATE TABLE act (id bigint PRIMARY KEY, ticket bigint NOT NULL REFERENCES ticket, must bigint NOT NULL);
";

async fn open() -> String {
    let sql = SQL.replace("citext_like", "character(8)");
    stage::database(&sql).await
}

fn with(dependants: &str) -> String {
    let rest = format!(
        "table = \"ticket\"\ntrigger = \"closed_on\"\nperiod = \"1 year\"\ndisposal = \"delete\"\ndependants = [{dependants}]"
    );
    format!("{HEAD}{}", class("tickets", &rest))
}

#[tokio::test]
async fn what_cannot_be_followed_is_refused_with_the_way_out() {
    let url = open().await;
    let act = "\"act\"";
    for (entry, code, says, hint) in [
        (
            "{ table = \"notes\", on = \"ticket = id\" }",
            "R0301",
            "there is no table `public.notes`",
            "did you mean `note`?",
        ),
        (
            "{ table = \"note\", on = \"tickte = id\" }",
            "R0302",
            "names column `tickte`, which `public.note` does not have",
            "did you mean `ticket`?",
        ),
        (
            "{ table = \"note\", on = \"ticket = nr\" }",
            "R0302",
            "names column `nr`, which `public.ticket` does not have",
            "did you mean `id`?",
        ),
        (
            "{ table = \"note\", on = \"ticket = id\", where = \"knd = 'x'\" }",
            "R0302",
            "reads column `knd`, which `public.note` does not have",
            "did you mean `kind`?",
        ),
        (
            "{ table = \"note\", on = \"ticket = id\", where = \"kind = 5\" }",
            "R0309",
            "the database refuses the condition",
            "compare each column with a value of its own type",
        ),
        (
            "{ table = \"note\", on = \"kind = id\" }",
            "R0360",
            "`public.note.kind` is of type `text` and `public.ticket.id` of type `bigint`",
            "relate columns of one type",
        ),
        (
            "{ table = \"note\", on = \"slot = slot\" }",
            "R0360",
            "`public.note.slot` is of type `character(8)`",
            "relate columns of one type",
        ),
        (
            "{ table = \"note\", on = \"kind = number\" }",
            "R0361",
            "on neither side of the relation of `public.note` a value names a single row",
            "CREATE UNIQUE INDEX CONCURRENTLY",
        ),
        (
            "\"note\"",
            "R0306",
            "nothing relates the dependant `public.note` to `public.ticket`",
            "{ table = \"note\", on = \"COLUMN = ticket.COLUMN\" }",
        ),
        (
            "{ table = \"note\", on = \"id = id\", action = \"unlink\" }",
            "R0316",
            "the columns by which it refers to `public.ticket` are NOT NULL",
            "allow NULL",
        ),
        (
            "{ table = \"act\", on = \"ticket = id\", where = \"must > 1\" }",
            "R0116",
            "the foreign key `act_ticket_fkey` binds every row of `public.act`",
            "leave `on` and `where` out",
        ),
    ] {
        let entries = if entry.contains("\"act\"") {
            format!("{act}, {entry}")
        } else {
            format!("{entry}, {act}")
        };
        let (refused, _) = remarks(&url, &with(&entries), "tickets").await;
        assert_eq!(refused.len(), 1, "{entry}: {refused:#?}");
        let [only] = &refused[..] else { unreachable!() };
        assert!(
            only.starts_with(code) && only.contains(says) && only.contains(hint),
            "{entry}: {only}"
        );
    }
}

#[tokio::test]
async fn a_relation_that_is_a_foreign_key_is_that_key() {
    let url = open().await;
    let (refused, _) = remarks(
        &url,
        &with("{ table = \"act\", on = \"ticket = id\" }"),
        "tickets",
    )
    .await;
    assert_eq!(refused, Vec::<String>::new());
    // Another relation of the table does not name its foreign key.
    let (refused, _) = remarks(
        &url,
        &with("{ table = \"act\", on = \"must = id\" }"),
        "tickets",
    )
    .await;
    assert_eq!(refused.len(), 1, "{refused:#?}");
    assert!(
        refused[0].starts_with("R0305")
            && refused[0].contains("add to the class's dependants: \"act\"")
    );
}

#[tokio::test]
async fn what_another_class_relates_must_be_named_here_too() {
    let url = stage::database(tickets::SQL).await;
    let spam = class(
        "spam",
        "table = \"tickets\"\nwhere = \"status = 'deleted'\"\ntrigger = \"resolved\"\nperiod = \"1 month\"\ndisposal = \"delete\"\n\
         dependants = [{ table = \"transactions\", on = \"objectid = id\", where = \"objecttype = 'RT::Ticket'\" }]",
    );
    let toml = format!("{}{spam}", tickets::schedule());
    let (refused, _) = remarks(&url, &toml, "spam").await;
    assert_eq!(
        refused,
        [
            "R0305: class `spam`: `public.customfieldvalues` refers to `public.tickets` (as class `tickets` says) and is not declared: \
             its rows would be left behind, referring to nothing [add to the class's dependants: \
             { table = \"customfieldvalues\", on = \"objectid = tickets.id\", where = \"(\\\"objecttype\\\" = 'RT::Ticket')\" }]",
            "R0305: class `spam`: `public.attachments` refers to `public.transactions` (as class `tickets` says) and is not declared: \
             its rows would be left behind, referring to nothing [add to the class's dependants: \
             { table = \"attachments\", on = \"transactionid = transactions.id\" }]",
        ]
    );
    // The lines that it says to add are right.
    let lines: Vec<&str> = refused
        .iter()
        .filter_map(|r| Some(r.split_once("dependants: ")?.1.trim_end_matches(']')))
        .collect();
    let mended = toml.replacen(
        "where = \"objecttype = 'RT::Ticket'\" }]",
        &format!(
            "where = \"objecttype = 'RT::Ticket'\" }}, {}]",
            lines.join(", ")
        ),
        1,
    );
    assert_eq!(remarks(&url, &mended, "spam").await.0, Vec::<String>::new());
    assert_eq!(
        remarks(&url, &mended, "tickets").await.0,
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn an_index_from_the_dependant_is_advised_where_none_leads() {
    let url = stage::database(tickets::SQL).await;
    // (objecttype, objectid) serves, since the condition compares the former.
    let (_, advice) = remarks(&url, &tickets::schedule(), "tickets").await;
    assert_eq!(advice, Vec::<String>::new());
    crate::support::sql(
        &url,
        "DROP INDEX attachments_transactionid_idx; DROP INDEX transactions_objecttype_objectid_idx",
    )
    .await;
    let (_, advice) = remarks(&url, &tickets::schedule(), "tickets").await;
    let about = |table: &str, column: &str, to: &str| {
        format!(
            "R0352: no index on `public.{table}` ({column}), by which it refers to `public.{to}`, so every batch reads the whole table \
             [CREATE INDEX CONCURRENTLY ON public.{table} ({column})]"
        )
    };
    assert_eq!(
        advice,
        [
            about("transactions", "objectid", "tickets"),
            about("attachments", "transactionid", "transactions")
        ]
    );
}
