//! Every answer in words, as it stands on a page.

use insta::assert_snapshot;

use crate::command::Desk;
use crate::{office, support};

#[tokio::test]
async fn check() {
    let (url, desk) = office::open().await;
    // Clean but for the account, which is the tests' superuser.
    assert_snapshot!(desk.run("check"), @r#"
    exit 0
    --- out
    warning[R0381]: no class claims 1 of the 6 rows of `public.applicant`
      --> retention.toml:20:9
       |
    20 | where = "outcome = 'no'"
       |         ^^^^^^^^^^^^^^^^
       |
       = help: widen a condition, or give the rest a class of its own: `retain`, if it is to be kept

    warning[R0354]: connected as `retentiond`, a superuser, from whom nothing can be withheld
     |
     = help: give the service a role of its own, with no more than it needs

    retention.toml: no errors, 2 warnings.
    "#);
    assert_snapshot!(desk.run("check --offline"), @r#"
    exit 0
    --- out
    retention.toml: no errors, no warnings.
    Note: the file alone was looked at.
    "#);
    assert_snapshot!(Desk::bare().set("DATABASE_URL", "").run(&format!("check --schedule {}", desk.folder().join("retention.toml").display())).to_string().replace(&desk.folder().display().to_string(), "[folder]"), @r#"
    exit 0
    --- out
    [folder]/retention.toml: no errors, no warnings.
    Note: the file alone was looked at; give --database URL to compare it with a database.
    "#);
    support::sql(
        &url,
        "DROP INDEX visit_made_on_idx; ALTER TABLE page DROP CONSTRAINT page_letter_id_fkey",
    )
    .await;
    assert_snapshot!(desk.run("check"), @r#"
    exit 2
    --- out
    error[R0306]: class `letters`: nothing relates the dependant `public.page` to `public.letter`
      --> retention.toml:13:15
       |
    13 | dependants = ["page"]
       |               ^^^^^^
       |
       = help: say how: { table = "page", on = "COLUMN = letter.COLUMN" }; or declare the foreign key in the database

    warning[R0381]: no class claims 1 of the 6 rows of `public.applicant`
      --> retention.toml:20:9
       |
    20 | where = "outcome = 'no'"
       |         ^^^^^^^^^^^^^^^^
       |
       = help: widen a condition, or give the rest a class of its own: `retain`, if it is to be kept

    warning[R0351]: no index starts with the trigger `public.visit.made_on`, so every pass reads the whole table instead of the due ones
      --> retention.toml:93:11
       |
    93 | trigger = "made_on"
       |           ^^^^^^^^^
       |
       = help: CREATE INDEX CONCURRENTLY ON public.visit (made_on)

    warning[R0354]: connected as `retentiond`, a superuser, from whom nothing can be withheld
     |
     = help: give the service a role of its own, with no more than it needs

    retention.toml: 1 error, 3 warnings.
    `retentiond check --explain CODE` says more about a code.
    "#);
    assert_snapshot!(desk.run("check --explain r0306"), @r#"
    exit 0
    --- out
    R0306

    A dependant is declared that neither a foreign key nor an `on` relates to the class's table. Which of its rows belong to a record cannot be known. Say how they are related: `{ table = "attachments", on = "transactionid = id" }`, declare the foreign key in the database, or remove the dependant.
    "#);
}

#[tokio::test]
async fn plan() {
    let (_, desk) = office::open().await;
    assert_snapshot!(desk.run("plan --on 2026-11-23").redacted(), @r#"
    exit 0
    --- out
    Plan for 23 November 2026 (Europe/London), An Office
    schedule ************, plan ************

    class              disposal   status    trigger before  claimed  due  dependants  waiting  conflict  kept by another  undated  overdue
    letters            delete     ready     2018-11-23            7    3           6        –         –                –        2        2
    turned-down        anonymise  ready     2026-05-23            4    1           –        –         –                3        –        1
    merit-list         anonymise  ready     2025-11-23            2    1           –        –         –                –        –        1
    hired              retain     retained                        1    –           –        –         –                –        –        –
    photos             delete     ready     2022-11-24            4    2           1        –         –                –        1        1
    samples            delete     ready     2023-11-24            4    1           –        –         1                1        –        1
    samples-of-record  delete     ready     2021-11-23            2    1           –        –         –                –        –        1
    study              delete     waiting   2026-08-25            2    –           –        2         –                –        –        2
    visits             flag       ready     2025-11-23            2    1           –        –         –                –        –        1

    samples: 1 record is kept longer than a maximum allows, because another class protects it. A person must decide which rule yields.
    study: 2 records wait for the controller's instruction.
    Without a trigger date that can be believed, and so kept until somebody gives them one: letters 2, photos 1.
    "#);
    assert_snapshot!(desk.run("plan --on 2026-11-23 --class letters --class hired").redacted(), @r#"
    exit 0
    --- out
    Plan for 23 November 2026 (Europe/London), An Office
    schedule ************, plan ************

    class    disposal  status    trigger before  claimed  due  dependants  undated  overdue
    letters  delete    ready     2018-11-23            7    3           6        2        2
    hired    retain    retained                        1    –           –        –        –

    Without a trigger date that can be believed, and so kept until somebody gives them one: letters 2.
    "#);
}

#[tokio::test]
async fn run_and_its_traces() {
    let (_, desk) = office::open_on_any_day().await;
    // Without a terminal, a line for each class goes to standard error.
    assert_snapshot!(desk.run("run --as auditor --class letters").redacted(), @r#"
    exit 0
    --- out
    class    disposal  status  deleted  dependants  seconds
    letters  delete    done          3           6  *.*

    Pass 1 completed. It wrote 5 entries to the ledger.
    --- err
    letters: 3 records deleted, 6 dependants (*.* s)
    "#);
    assert_snapshot!(desk.run("run --as auditor -q").redacted(), @r#"
    exit 3
    --- out
    class              disposal   status    flagged  anonymised  deleted  dependants  waiting  conflict  seconds
    letters            delete     idle            –           –        –           –        –         –  *.*
    turned-down        anonymise  done            –           1        –           –        –         –  *.*
    merit-list         anonymise  done            –           1        –           –        –         –  *.*
    hired              retain     retained        –           –        –           –        –         –  *.*
    photos             delete     done            –           –        2           1        –         –  *.*
    samples            delete     done            –           –        2           –        –         1  *.*
    samples-of-record  delete     idle            –           –        –           –        –         –  *.*
    study              delete     waiting         –           –        –           –        2         –  *.*
    visits             flag       done            1           –        –           –        –         –  *.*

    Pass 2 completed. It wrote 7 entries to the ledger.
    Something waits for a person: `retentiond plan` shows what, and for whom.
    "#);
    assert_snapshot!(desk.run("ledger list").redacted(), @r#"
    exit 0
    --- out
    entry  at (UTC)             action             class        table             records  pass  by       remarks
    *      ****-**-** **:**:**  run-finished                                            –  2     auditor  outcome: completed; program: 0.1.0
    *      ****-**-** **:**:**  flagged            visits       public.visit            1  2     auditor
    *      ****-**-** **:**:**  anonymised         turned-down  public.applicant        1  2     auditor
    *      ****-**-** **:**:**  deleted            samples      public.sample           2  2     auditor
    *      ****-**-** **:**:**  deleted            photos       public.form             1  2     auditor
    *      ****-**-** **:**:**  deleted            photos       public.photo            2  2     auditor
    *      ****-**-** **:**:**  anonymised         merit-list   public.applicant        1  2     auditor
    *      ****-**-** **:**:**  run-finished                                            –  1     auditor  outcome: completed; program: 0.1.0
    *      ****-**-** **:**:**  deleted            letters      public.page             2  1     auditor
    *      ****-**-** **:**:**  deleted            letters      public.letter           1  1     auditor
    *      ****-**-** **:**:**  deleted            letters      public.page             4  1     auditor
    *      ****-**-** **:**:**  deleted            letters      public.letter           2  1     auditor
    *      ****-**-** **:**:**  schedule-in-force                                       –        auditor  how: automatic
    "#);
    assert_snapshot!(desk.run("ledger list --class letters --limit 1").redacted(), @r#"
    exit 0
    --- out
    entry  at (UTC)             action   class    table        records  pass  by
    *      ****-**-** **:**:**  deleted  letters  public.page        2  1     auditor
    The newest 1; there may be more: --limit N, or a filter.
    "#);
    assert_snapshot!(desk.run("ledger list --action refused"), @r#"
    exit 0
    --- out
    The ledger has no such entry.
    "#);
    let said = desk.run("ledger verify");
    assert_snapshot!(said.to_string(), @r#"
    exit 0
    --- out
    OK
    13 entries and 17 records read: every byte hashed again, every value that is derived from them compared.
    The sealed log has 13 entries; 0 are not sealed yet. It agrees with 4 checkpoints.
    "#);
}

#[tokio::test]
async fn status() {
    let (_, desk) = office::open().await;
    let said = desk.run("status");
    assert!(said.out.ends_with(
        "No pass was ever made here: `retentiond run` makes one.\nLedger: 0 entries, nothing signed yet, never verified: `retentiond ledger verify` does it.\n\nstudy: 2 records wait for the controller's instruction, the oldest since 2021-10-29: `retentiond instruct study --by NAME --reference REF`.\n"
    ), "{said}");
    let (url, desk) = office::after_a_pass().await;
    // Only what does not depend on the day.
    support::sql(&url, "DELETE FROM page; DELETE FROM letter; DELETE FROM photo; DELETE FROM sample; DELETE FROM applicant WHERE name <> '[redacted]' AND outcome <> 'yes'; DELETE FROM visit WHERE id = 2").await;
    let said = desk.run("status").redacted();
    let body = said.out.split_once("\n\n").unwrap().1;
    assert_snapshot!(body, @r#"
    class              status    kept  overdue  waiting  flagged  anonymised  last success         oldest overdue
    letters            idle         –        –        –        –           –  ****-**-** **:**:**
    turned-down        idle         1        –        –        –           1  ****-**-** **:**:**
    merit-list         idle         –        –        –        –           1  ****-**-** **:**:**
    hired              retained     1        –        –        –           –
    photos             idle         –        –        –        –           –  ****-**-** **:**:**
    samples            idle         –        –        –        –           –  ****-**-** **:**:**
    samples-of-record  idle         –        –        –        –           –  ****-**-** **:**:**
    study              waiting      2        2        2        –           –                       2021-10-29
    visits             idle         1        –        –        1           –  ****-**-** **:**:**

    Last pass: number 1, begun ****-**-** **:**:**, completed.
    Ledger: 13 entries, nothing signed yet, never verified: `retentiond ledger verify` does it.

    study: 2 records wait for the controller's instruction, the oldest since 2021-10-29: `retentiond instruct study --by NAME --reference REF`.
    "#);
}

#[tokio::test]
async fn explain() {
    let (_, desk) = office::after_a_pass().await;
    let said = |line: &str| {
        desk.run(&format!("explain {line} --on {}", office::TODAY))
            .redacted()
    };
    assert_snapshot!(said("letter 4"), @r#"
    exit 0
    --- out
    public.letter 4: kept; its time has not come

    letters decides: counted from 23 November 2018, kept through 23 November 2026, then deleted.
      Letters and their pages
    It is due on 24 November 2026, if nothing changes.
    "#);
    assert_snapshot!(said("letter 5"), @r#"
    exit 0
    --- out
    public.letter 5: held; nothing happens to it while a hold is open

    Hold 1 (litigation), reference TEST/1.
    letters decides: counted from 5 May 2016, kept through 5 May 2024, then deleted.
      Letters and their pages

    In the ledger:
      ****-**-** **:**:**  hold-placed (entry *, by test)
    "#);
    assert_snapshot!(said("letter 2"), @r#"
    exit 0
    --- out
    public.letter 2: kept; it has no trigger date that can be believed

    letters decides: no trigger date, so nothing is counted.
      Letters and their pages
    "#);
    assert_snapshot!(said("letter 6"), @r#"
    exit 0
    --- out
    public.letter 6: kept; it has no trigger date that can be believed

    letters decides: the trigger date 1 January 1970 cannot be believed, so nothing is counted.
      Letters and their pages
    "#);
    assert_snapshot!(said("letter 7"), @r#"
    exit 0
    --- out
    public.letter 7: kept; its time has not come

    letters decides: counted from 1 June 2027 (still to come), kept through 1 June 2035, then deleted.
      Letters and their pages
    It is due on 2 June 2035, if nothing changes.
    "#);
    assert_snapshot!(said("participant 1"), @r#"
    exit 0
    --- out
    public.participant 1: its time has come, and it waits for a person

    study decides: counted from 31 July 2021, kept through 29 October 2021, then deleted.
      A research study
      Waits for the controller's instruction.
    study, instruction: closed, the controller has given no instruction.
    "#);
    assert_snapshot!(said(&format!("applicant {}", office::uuid(1))), @r#"
    exit 0
    --- out
    public.applicant 00000000-0000-0000-0000-000000000001: anonymised

    turned-down decides: counted from 10 January 2026, kept through 10 July 2026, then anonymised.
      Applicants turned down

    In the ledger:
      ****-**-** **:**:**  anonymised under turned-down; counted from 10 January 2026, last day 10 July 2026 (entry *, pass 1, by test, schedule ************)
    "#);
    assert_snapshot!(said(&format!("applicant {}", office::uuid(2))), @r#"
    exit 0
    --- out
    public.applicant 00000000-0000-0000-0000-000000000002: kept; its time has not come

    turned-down claims it too: counted from 10 January 2026, kept through 10 July 2026, then anonymised.
      Applicants turned down
    merit-list decides: counted from 10 January 2026, kept through 10 January 2027, then anonymised.
      Applicants on the merit list
    Because `merit-list` keeps it longest of the classes that claim it.
    It is due on 11 January 2027, if nothing changes.
    "#);
    assert_snapshot!(said(&format!("applicant {}", office::uuid(4))), @r#"
    exit 0
    --- out
    public.applicant 00000000-0000-0000-0000-000000000004: retained

    hired decides: kept, under no period of this schedule.
      Applicants hired
      Part of the personnel file (Head of People).
    "#);
    assert_snapshot!(said(&format!("applicant {}", office::uuid(5))), @r#"
    exit 0
    --- out
    public.applicant 00000000-0000-0000-0000-000000000005: no class claims it
    "#);
    assert_snapshot!(said(&format!("applicant {}", office::uuid(6))), @r#"
    exit 0
    --- out
    public.applicant 00000000-0000-0000-0000-000000000006: kept

    turned-down claims it too: counted from 1 January 2020, kept through 1 July 2020, then anonymised.
      Applicants turned down
    merit-list decides: counted from 1 January 2020, kept through 1 January 2021, then anonymised.
      Applicants on the merit list
      Its condition cannot be told true or false for this record, so it only protects.
    Because `merit-list` keeps it longest of the classes that claim it.
    "#);
    assert_snapshot!(said("visit 1"), @r#"
    exit 0
    --- out
    public.visit 1: flagged; the row stays as it is

    visits decides: counted from 1 January 2024, kept through 1 January 2025, then flagged.
      Visitors' book

    In the ledger:
      ****-**-** **:**:**  flagged under visits; counted from 1 January 2024, last day 1 January 2025 (entry *, pass 1, by test, schedule ************)
    "#);
    assert_snapshot!(said("sample campaign=2,id=7"), @r#"
    exit 0
    --- out
    public.sample campaign=2,id=7: in conflict: one class orders that it goes, another that it stays

    samples claims it: counted from 30 June 2022, deleted by 30 June 2025 at the latest.
      Survey samples
    samples-of-record claims it: counted from 30 June 2022, kept through 30 June 2027, then deleted.
      Survey samples that statistics rest on
    A person must decide which rule yields.
    "#);
    assert_snapshot!(said("page letter_id=4,number=1"), @r#"
    exit 0
    --- out
    public.page letter_id=4,number=1: kept; its time has not come

    It belongs to public.letter 4, and goes with it: `retentiond explain public.letter 4` says more.
    It is due on 24 November 2026, if nothing changes.
    "#);
    assert_snapshot!(said("form 1"), @r#"
    exit 0
    --- out
    public.form 1: kept; its time has not come

    It belongs to public.photo 2, and goes with it: `retentiond explain public.photo 2` says more.
    It is due on 29 February 2028, if nothing changes.
    "#);
    assert_snapshot!(said("letter 1"), @r#"
    exit 0
    --- out
    public.letter 1: gone

    The record public.letter 1 was deleted on 23 November 2026 under our retention schedule. Its retention was counted from 1 March 2015, and ended on 1 March 2023. The deletion is entry 1 of our log of disposals, which can be verified independently.

    It is in the log, and no checkpoint covers it yet.

    In the ledger:
      ****-**-** **:**:**  deleted under letters; counted from 1 March 2015, last day 1 March 2023 (entry *, pass 1, by test, schedule ************)
    "#);
    assert_snapshot!(said("page letter_id=1,number=2"), @r#"
    exit 0
    --- out
    public.page letter_id=1,number=2: gone

    The record public.page letter_id=1,number=2 was deleted on 23 November 2026 under our retention schedule. It went with the record that it belonged to. Its retention was counted from 1 March 2015, and ended on 1 March 2023. The deletion is entry 2 of our log of disposals, which can be verified independently.

    It is in the log, and no checkpoint covers it yet.

    In the ledger:
      ****-**-** **:**:**  deleted under letters, with its record 1; counted from 1 March 2015, last day 1 March 2023 (entry *, pass 1, by test, schedule ************)
    "#);
    assert_snapshot!(said("letter 99"), @r#"
    exit 0
    --- out
    public.letter 99: unknown: neither the database nor the ledger has it

    Is it the right table, and the right database?
    "#);
    // Before the pass it was due, and the day may be any.
    assert_snapshot!(desk.run("explain letter 4 --on 2026-11-24"), @r#"
    exit 0
    --- out
    public.letter 4: due; it goes in the next pass

    letters decides: counted from 23 November 2018, kept through 23 November 2026, then deleted.
      Letters and their pages
    "#);
}
