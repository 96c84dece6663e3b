//! What each code means, why it matters and what to do, for `check --explain`.

use super::Code;

impl Code {
    /// A few plain sentences: what it means, why it matters, what to do.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Syntax => {
                "The file is not valid TOML, so nothing in it can be read. No class is enforced \
                 until it is. Look at the line shown: often a quote or a bracket is missing, or a \
                 key is written twice."
            }
            Self::UnknownKey => {
                "The file has a key that the format does not know, most often a slip of the \
                 finger. It is refused because a key that is ignored would leave records kept or \
                 deleted against what the file says. Correct the key, or remove it."
            }
            Self::MissingKey => {
                "A key that the schedule cannot do without is not there. Nothing is guessed in \
                 its place, since a wrong period or table destroys records. Add the key."
            }
            Self::WrongType => {
                "A value has another type than its key takes, such as a number where a text in \
                 quotes belongs, or [class] where [[class]] belongs. Values are never converted \
                 silently. Write the value in the form that the message names."
            }
            Self::BlankText => {
                "A text that must say something is empty or only spaces. Titles, authorities, \
                 owners and reasons are read by auditors and by the people whose records these \
                 are. Write it out."
            }
            Self::UnknownWord => {
                "The key takes one of a few words, and this is none of them. The words are case- \
                 sensitive and in British spelling, such as `anonymise`. Write one of those that \
                 the hint names."
            }
            Self::BadPeriod => {
                "The period cannot be read. A period is a sum of whole years, months, weeks and \
                 days, such as \"1 year 6 months\", or its ISO 8601 form, such as P1Y6M; hours, \
                 fractions and negative numbers have no meaning for it. Correct it; records that \
                 are kept for ever belong to a class with `disposal = \"retain\"`."
            }
            Self::BadTimeZone => {
                "The time zone is not in the IANA database. Days begin and end in this zone, so \
                 that a wrong one makes records due on the wrong day. Write a name such as \
                 Europe/London."
            }
            Self::ZoneGoesBack => {
                "In this zone the local date has gone back to the day before, at least once since \
                 1985. A cutoff is one instant, and there it could not separate one day from the \
                 next. Choose another zone with the same days."
            }
            Self::BadTimetable => {
                "The timetable in `every` cannot be read, would never come round, or would be \
                 read differently by different cron programs. It has six fields (seconds, \
                 minutes, hours, day of month, month, day of week) or five without the seconds; \
                 Sunday is 0 or 7. Write it in plain numbers, names, ranges, lists and steps: \"0 \
                 0 2 * * *\" is 02:00 every day."
            }
            Self::BadClassId => {
                "The id of a class has lower-case letters, digits and single hyphens, starts with \
                 a letter and has at most 60 characters; `list` and `withdraw` are commands. The \
                 ledger, approvals and the command line name the class by it. Choose another id."
            }
            Self::DuplicateClassId => {
                "Two classes have the same id. Holds, approvals and ledger entries name a class \
                 by its id, so that it must mean one class only. Rename the second one."
            }
            Self::EmptyClass => {
                "A [[class]] has no keys at all, perhaps because they were commented out and the \
                 header was not. A class without a table and a rule says nothing. Comment the \
                 header out too, or fill the class in."
            }
            Self::NoClasses => {
                "The schedule has no classes, and so would enforce nothing while it seems to be \
                 in force. Add a [[class]] for each kind of record."
            }
            Self::NotYetSupported => {
                "The key belongs to the format, but this version does not enforce it yet. It is \
                 refused and not ignored, because a schedule that is signed must be done as it is \
                 written. Comment the key out, and see whether the class is still right without \
                 it."
            }
            Self::Contradiction => {
                "Two keys of the class cannot both hold, such as a period in a class that \
                 retains, or dependants in one that only flags. Which of them is meant cannot be \
                 guessed. Remove one of them."
            }
            Self::BadName => {
                "A table's or column's name cannot be one in PostgreSQL: it is empty, longer than \
                 63 bytes, or has too many dots. Write it as PostgreSQL stores it, without \
                 quotes; a table may have its schema before it, as in `crm.note`."
            }
            Self::EmptyList => {
                "A list or table is written but has nothing in it. An empty `anonymise` would \
                 change nothing while the class counts as done, and an empty list of dependants \
                 is better left out. Fill it in or remove it."
            }
            Self::Repeated => {
                "The same column, table or file is named twice, perhaps with two different \
                 orders. Only one of them could be carried out. Keep one."
            }
            Self::OwnDependant => {
                "A class that anonymises names its own table among its dependants. There its rows \
                 would be deleted because of the row that they refer to, while each is anonymised \
                 when it is due itself. Remove it from the list."
            }
            Self::BadRelation => {
                "`on` says how a dependant's rows are related to the record, by one or several \
                 equalities joined by AND: on the left a column of the dependant, on the right a \
                 column of the class's table, or of a dependant named earlier in the list \
                 (`transactionid = transactions.id`). What narrows it stands in `where`."
            }
            Self::RelationTypes => {
                "The two columns of a relation are of types that cannot be compared, or of which \
                 equal values can be written differently (citext, char), so that whose row it is \
                 cannot be told with certainty. Relate columns of one type."
            }
            Self::RelationUndecided => {
                "A relation must lead to a single row: the right side must be the primary or a \
                 unique key of its table (the dependant refers to the record), or the left side \
                 that of the dependant (the record refers to it). Name the key's columns, or \
                 create a unique index if the values are unique."
            }
            Self::TriggerUnreached => {
                "A trigger such as `case.closed_at` stands in the row that the record refers to, by \
                 a foreign key from the class's table to that one. None leads there, or several \
                 do, and then nobody can say which row is meant. Declare the foreign key, or keep \
                 the date in a column of the class's own table."
            }
            Self::AnonymisesItsRule => {
                "The class would overwrite a column by which it is judged: a trigger, or a column \
                 that its conditions read. Afterwards it could not tell whether a record is its \
                 own or when it was due. Keep that column, or judge by another."
            }
            Self::PathAndStrategy => {
                "`remove` takes a key out of a JSON column and needs a path, such as \
                 \"answers.phone\"; every other strategy works on a whole column and must have \
                 none. Correct the strategy or the path."
            }
            Self::BadDate => {
                "A fixed trigger is a plain date, such as 2021-07-31, without quotes, time or \
                 zone. In quotes it would be the name of a column. Write the date alone."
            }
            Self::MaximumBehindReview => {
                "The class has a maximum period and waits for a person's review. A maximum is a \
                 promise that the record is gone in time, and a review that nobody does breaks \
                 it. Watch what is overdue, or take the gate out."
            }
            Self::PseudonymIsPersonal => {
                "A pseudonym is made with a secret key; while that key exists, whoever has it can \
                 tell which person is meant, and the column is still personal data in law. Prefer \
                 `redact` or `null`; where records must still be told apart, see that the key is \
                 destroyed."
            }
            Self::TimetableTooSparse => {
                "A maximum is a promise that a record is gone before its period ends, so it must \
                 go on one day, its last. The timetable has days without a pass, and a record whose \
                 last day is one of them goes late, which is a breach and reported as one. Run the \
                 schedule every day, or make the period shorter by the days that the hint names."
            }
            Self::Placeholder => {
                "`init` proposes a first schedule and marks with PLACEHOLDER what only a person can \
                 decide: what the records are called, which document orders it, how long they are \
                 kept. Until somebody has decided, the schedule says what nobody stands for. Write \
                 what is right, also where the proposal was, and take the remark behind it away."
            }
            Self::ConditionSyntax => {
                "The condition is not one complete SQL expression that is true or false for a \
                 row. It is parsed before PostgreSQL sees it, so that nothing else can be \
                 smuggled in. Write comparisons of columns with constants, joined by AND, OR and \
                 NOT."
            }
            Self::ConditionConstruct => {
                "The condition uses something that is not allowed, which the message names. A \
                 condition may compare the row's own columns with constants, and use a short list \
                 of pure operators; anything else could change data, depend on other rows, or \
                 mean something different tomorrow. Say the same with what is allowed, or keep \
                 the answer in a column of the table."
            }
            Self::ConditionFunction => {
                "The condition calls a function that is not on the list. Only a few of \
                 PostgreSQL's own functions are allowed, all of which give the same answer for \
                 the same row for ever; a function of your own could do anything. Use one from \
                 the list, or keep the result in a generated column."
            }
            Self::ConditionOtherRow => {
                "The condition looks beyond the class's own row, by a sub-query or a column with \
                 a table before it. Whether a record goes must be decided by the record itself, \
                 since other rows change while it is judged. Keep what decides in a column of the \
                 table, or choose another trigger."
            }
            Self::ConditionClock => {
                "The condition depends on the time of day, the session or chance. Time is counted \
                 in one place only, from the trigger by the period, so that a plan and its \
                 execution agree. Take the word or function out, and let the trigger and the \
                 period say when."
            }
            Self::ConditionLiteral => {
                "A constant is written in a form that is not allowed or that depends on settings. \
                 Allowed are 'text' with doubled quotes, plain numbers, TRUE, FALSE, NULL, and \
                 dates like DATE '2026-01-31'. Rewrite it in one of these forms."
            }
            Self::ConditionCast => {
                "The condition casts to a type that is not on the list, or computes a date. Casts \
                 to text, integer, bigint, numeric, boolean, date, timestamp, timestamptz and \
                 uuid are allowed; others look things up in the database's catalogue or have no \
                 fixed meaning. Cast a plain column or constant to one of these."
            }
            Self::ConditionTooLarge => {
                "The condition is longer, or nested deeper, than any that a person can check. It \
                 is refused so that neither the parser nor the reader is overwhelmed. Split the \
                 class, or keep what decides in a column of the table."
            }
            Self::NoSuchTable => {
                "The schedule names a table that the database does not have. The class is \
                 refused, and what it might claim stays protected. Correct the name, give its \
                 schema, or remove the class if the table is gone for good."
            }
            Self::NoSuchColumn => {
                "The schedule names a column that its table does not have. Nothing is guessed: \
                 the class is refused until they agree. Correct the name; a column renamed in a \
                 migration must be renamed here too."
            }
            Self::WrongColumnType => {
                "A column has a type that cannot serve what the schedule asks of it, such as a \
                 text as a trigger or `year` on a number. Values are not converted by guesswork. \
                 Use another column or strategy, or change the column's type."
            }
            Self::NoPrimaryKey => {
                "The table has no primary key, so that the ledger could not say which record was \
                 disposed of, and a record could not be held by name. Add a primary key to the \
                 table."
            }
            Self::UndeclaredForeignKey => {
                "Another table refers to this one, and the class does not say what becomes of its \
                 rows. Deleting would fail, or cascade into rows that no schedule and no ledger \
                 names. Add the table to `dependants`, with `action = \"unlink\"` if its rows \
                 stay."
            }
            Self::UnrelatedDependant => {
                "A dependant is declared that neither a foreign key nor an `on` relates to the \
                 class's table. Which of its rows belong to a record cannot be known. Say how \
                 they are related: `{ table = \"attachments\", on = \"transactionid = id\" }`, \
                 declare the foreign key in the database, or remove the dependant."
            }
            Self::MissingPrivilege => {
                "The connecting role lacks a privilege that the class needs. The class is refused \
                 before anything is tried, so that it does not stop half-way. Grant it: \
                 `retentiond grants` prints the statements."
            }
            Self::OnlyAsks => {
                "The connecting role may look at retentiond's own schema and cannot record a pass \
                 in it, so that it can never make one. What a pass needs of it was therefore not \
                 looked at. Ask as a member of the enforcer's role to see whether that can act: \
                 `retentiond grants` prints what each role needs."
            }
            Self::NotATable => {
                "The name belongs to a view, a foreign table or something else that holds no rows \
                 of its own. Only ordinary and partitioned tables can be enforced on. Name the \
                 table behind it."
            }
            Self::ConditionRefused => {
                "PostgreSQL cannot run the condition on this table, most often because a \
                 comparison mixes types. The class is refused, and the whole table stays \
                 protected from it. Correct the condition; the message says what PostgreSQL \
                 objected to."
            }
            Self::SelfReference => {
                "Rows of the table refer to other rows of it, such as a reply to a message, and \
                 the class does not say what becomes of those that refer to one that goes. Name \
                 the table itself in `dependants`: as it is, if replies go with the message that \
                 they answer (one that is still protected keeps it), or with `action = \
                 \"unlink\"`, if they stay and lose the link."
            }
            Self::AnonymisesKey => {
                "A column of a primary, unique or foreign key would be overwritten. The record \
                 could no longer be found, or its relations would break. Leave the key alone; \
                 where the key itself identifies a person, delete the record."
            }
            Self::AnonymisationBreaks => {
                "A constraint of the table forbids what would be written: NULL in a NOT NULL \
                 column, the same text in a unique one, anything in a generated one, or values \
                 that a CHECK refuses (`check` tries them on the rows that are there, and changes \
                 nothing). Such a record could never be anonymised. Choose another strategy or relax the constraint."
            }
            Self::UnknownStore => {
                "The schedule names a file store that the settings do not. Without it the files \
                 would outlive their rows. Add the store to the settings, or correct its name."
            }
            Self::RowSecurity => {
                "Row-level security hides rows of the table from the connecting role. Records \
                 that are not seen are never disposed of, and counts would be wrong. Connect as \
                 the owner or as a role with BYPASSRLS."
            }
            Self::ForeignKeyCircle => {
                "Foreign keys between the tables of the schedule form a circle, so that there is \
                 no order in which they can be deleted. Break it: unlink one of them, or make one \
                 of the keys no longer declared."
            }
            Self::UnlinkNotNull => {
                "A dependant is to be unlinked, but its foreign key column is NOT NULL. Setting \
                 it to NULL would fail in every batch. Allow NULL in that column, or let the \
                 dependant be deleted."
            }
            Self::RulesCollide => {
                "Two classes on one table order things that cannot both be done, such as two \
                 different strategies for one column of the same row. Which one is meant cannot \
                 be guessed. Narrow the conditions, or make the orders agree."
            }
            Self::NoTriggerIndex => {
                "No index begins with the trigger column, so that every pass reads the whole \
                 table. It works, but it is slow and loads the database. Create an index on the \
                 column."
            }
            Self::NoForeignKeyIndex => {
                "A foreign key that refers to the table has no index. For every deleted record \
                 PostgreSQL then reads the whole referring table. Create an index on the \
                 referring columns."
            }
            Self::TableHasTriggers => {
                "The table has triggers of its own, which run on every row that is changed. They \
                 may be slow, copy the data elsewhere, or restore it. See what they do before the \
                 first run."
            }
            Self::Superuser => {
                "The connection is a superuser's, whom no privilege stops. A mistake in the \
                 schedule then reaches everything. Use a role with only the grants that \
                 `retentiond grants` prints."
            }
            Self::PersonalKey => {
                "The primary key is a text that may name a person, such as an e-mail address or a \
                 username, and keys are written into the ledger. The ledger is kept for ever. Use \
                 a meaningless key, or hide the keys of the class."
            }
            Self::NothingFits => {
                "No row of the table fits the condition. That may be right, but is often a \
                 misspelt value, with which records are kept for ever unseen. Compare it with the \
                 values in the table."
            }
            Self::ReviewDue => {
                "The class keeps its records without an end, and said in `review_on` when somebody \
                 would ask again whether it must. That day has come. Nothing changes by itself: \
                 decide, and write a new date, or another disposal."
            }
            Self::NaiveTrigger => {
                "The trigger is a `timestamp without time zone`, which does not say whose midnight \
                 it means. It is read as civil time in the schedule's zone; an application that \
                 writes UTC would have records counted a day early or late whenever the two differ \
                 around midnight. Ask whoever wrote it, and say so with `trigger_zone`, which also \
                 ends this warning."
            }
            Self::MaterialisedCopy => {
                "A materialised view is a table of copies that PostgreSQL does not keep up to date. \
                 What is deleted or anonymised here can still be read there until the view is \
                 refreshed. Refresh it after each pass, from the timetable that runs the pass."
            }
            Self::NoRoomForUpdates => {
                "To anonymise a record PostgreSQL writes a new version of its row. If the page has \
                 room for it, no index changes; if not, the version goes to another page and every \
                 index gets an entry, which was measured to be 7 times slower. A fill factor of 85 \
                 leaves that room in pages that are filled from now on; `VACUUM FULL` or pg_repack \
                 gives it to the old ones."
            }
            Self::IndexedColumnChanges => {
                "An anonymised column is read by an index, as a key, in an expression or in its \
                 condition. Every anonymised record then needs a new entry in every index of the \
                 table, not only this one, and the old values stay in the index until it is \
                 vacuumed. Drop the index if searches do not need it; otherwise nothing is wrong, \
                 only slower."
            }
            Self::ConstraintUnproven => {
                "A constraint reads a column that is anonymised, and whether the new values meet it \
                 could not be tried without changing anything. If they do not, the database refuses \
                 the row, which is then set aside and shown as quarantined; nothing is lost. Compare \
                 the constraint with what the strategy writes, or choose `null`."
            }
            Self::WalUncompressed => {
                "The first change of a page after a checkpoint writes the whole page to the \
                 write-ahead log. Where due records lie scattered that is most of what a pass \
                 writes: 6.4 kB a row were measured, and 1.4 kB with `wal_compression`. Switch it \
                 on; it costs a little time of the processor."
            }
            Self::NotPublished => {
                "A publication sends the rows of this table to other servers, but not their \
                 deletion, or not their changes. Subscribers would keep what the schedule orders to \
                 be gone. Publish the operation, or put the subscriber under a schedule of its own."
            }
            Self::MayNotRewrite => {
                "The class asks for `erasure = \"secure\"`: after it disposed of something, the files of \
                 its tables are written anew without it. PostgreSQL lets only the owner of a table do \
                 that (or of the database; since PostgreSQL 17 also whoever was granted MAINTAIN), and \
                 answers everybody else with a warning and nothing done. Name a connection as the \
                 owner in `erasure.database_url`. Until then records are disposed of, and stay in the files."
            }
            Self::UncoveredTable => {
                "A table has columns that look like personal data by their names or types, and no \
                 class of the schedule claims it: whatever is in it is kept for ever, and nobody \
                 said that it should be. Give it a class, name it as a dependant of the records \
                 that its rows belong to, or `retain` it with an owner and a reason. With \
                 `check --strict` it is an error (exit code 3), so that a new table cannot slip in."
            }
            Self::UnclaimedRows => {
                "Every class on the table has a condition, and these rows fulfil none of them, so \
                 that they are kept for ever. (A condition that is neither true nor false for a \
                 row, because a column is NULL, does not claim it either.) Widen a condition, or \
                 give the rest a class of its own, with `retain` if it is to be kept."
            }
            Self::Unreachable => {
                "The database cannot be reached, or refuses the connection. Nothing was changed. \
                 Check the URL, the password, the network and whether the server is running."
            }
            Self::NotMigrated => {
                "The database does not have retentiond's own schema, or has an older one. Without \
                 it nothing can be recorded, and so nothing may be changed. Run `retentiond \
                 migrate`."
            }
            Self::NoLease => {
                "Another process holds the lease, so that a pass is already under way. Two at \
                 once would fight over the same rows. Wait for it, or find the process and stop \
                 it."
            }
            Self::ClockDiffers => {
                "The clocks of this machine and of the database differ by more than is safe. A \
                 clock that is ahead makes records due too early, and what is deleted does not \
                 come back. Set the clocks right and run again."
            }
            Self::PlanChanged => {
                "The plan is not the one whose digest was given: the schedule, the day or the \
                 database changed since. Nothing was done, because what was looked at is not what \
                 would happen. Look at the new plan, and give its digest."
            }
            Self::UnknownClass => {
                "No class of the schedule has the id given on the command line. Nothing was done. \
                 `retentiond plan` lists the classes."
            }
            Self::NoSuchRecord => {
                "The table has no record with this key, and the ledger knows none either. Perhaps \
                 the key is of another table or is written in another form. A key of several \
                 columns is written like `campaign=2,id=7`."
            }
            Self::BadSettings => {
                "The daemon's settings cannot be used. They say how it runs, never how long \
                 anything is kept. Correct the setting that the message names, in the file or in \
                 the environment."
            }
            Self::Unreadable => {
                "A file cannot be read or is not UTF-8 text. Nothing was done. Check the path, \
                 the permissions and the encoding."
            }
            Self::Internal => {
                "Something happened inside retentiond that should be impossible. The batch in \
                 hand was rolled back, and no record has changed without its entry in the ledger. \
                 Please report it with the message."
            }
            Self::PublishedDiffers => {
                "A page that was made by `retentiond publish` differs from what the schedule would \
                 give today: the schedule was changed since, or the page by hand. People were told \
                 other periods than those that are enforced. Publish it again, and replace the page."
            }
            Self::Interlock => {
                "The log in the database is not the one that was published: it is shorter, or begins \
                 otherwise. That is what a restored backup looks like, a replica that took over too \
                 early, or a database that was changed by hand. Records that were disposed of may be \
                 back, and nobody would know, so nothing acts until the lost entries are brought back \
                 (`retentiond ledger replay`) or a person has found out what happened."
            }
            Self::NoSigningKey => {
                "Checkpoints of the log are signed with a key that lies outside the database: in the \
                 state's folder, in the file that the settings name, or in a credential of the service \
                 manager. It is not there, cannot be read, or is another log's. A key is made by \
                 itself only for a log of which nothing was signed yet."
            }
            Self::Unpublished => {
                "Each pass publishes what it did to a folder outside the database, so that somebody \
                 else can tell when the log is changed. The folder cannot be read or written. What was \
                 done is in the database; the next pass publishes it, too."
            }
            Self::NoReplay => {
                "`retentiond ledger replay` brings entries back from the published log only where it is \
                 whole, is signed by a key of this log, and begins with exactly what the database has. \
                 Where the restored database has written entries of its own, restore the backup once more \
                 and replay before anything else is done in it. If the published log is lost or damaged: \
                 `retentiond ledger replay --new-origin --reason TEXT` goes on under another name, and \
                 puts the loss on record. docs/RESTORE.md has every step."
            }
            Self::Unconfirmed => {
                "What would change much asks for a word to be typed on a terminal. Without a terminal, or \
                 in a script, nobody can type it: `--yes` says that it is meant. `--dry-run` shows what \
                 would be done, and changes nothing."
            }
            Self::AcceptAgain => {
                "A restored database has lost decisions that cannot be brought back from the log: the text \
                 of the schedule that was accepted after the backup, or which record a hold was about. \
                 The log has only their digests. So nothing acts until a person has looked at \
                 `retentiond plan` and accepts a version of the schedule, also where the schedule says \
                 that acceptance is automatic."
            }
            Self::NoSuchDecision => {
                "A command names a hold, an exemption, an instruction, a pause, an operator, or a record of \
                 a review queue that is not there, or that is over already. Nothing was changed. The \
                 `list` command of the same name shows what there is; `retentiond explain TABLE KEY` \
                 says why a record is kept, or that it is gone."
            }
            Self::NotAllowed => {
                "Operators are registered, and whoever gives this command has no role that covers it. \
                 Reviewers decide about queues; holds officers place and release holds and exemptions; \
                 administrators do all of that, accept, instruct, pause, and say who else may. Without \
                 any operator every system account may everything; the first has to be an administrator."
            }
            Self::BadLimit => {
                "A limit on how much may go at once has a value that means nothing: `max_rows` is a \
                 whole number of records, `max_share` a share of the table over 0 and up to 1, and \
                 `max_growth` how many times as many as in the last completed pass. Limits catch a \
                 slip of the finger before it destroys half a table. Write a number in the range \
                 that the message names."
            }
            Self::ChangeWaits => {
                "The file differs from the version of the schedule that is in force in more than \
                 words, so it waits until a person accepts it. Until then the accepted version stays \
                 in force, and only what both would let go goes. Look at `retentiond plan`, then \
                 `retentiond accept DIGEST --reason TEXT`, or change the file back."
            }
            Self::NeverAccepted => {
                "No version of this schedule was ever accepted for this database, and until one is \
                 nothing goes. Look at what it would do with `retentiond plan`. Then accept it with \
                 `retentiond accept DIGEST --reason TEXT`, where DIGEST is what the plan shows as the \
                 schedule's."
            }
            Self::UnknownDigest => {
                "There is neither a version of the schedule nor a plan with this digest that could be \
                 accepted. A schedule's digest is that of the file which is given with --schedule; a \
                 plan's is that of today's, or of one that a pass was stopped in by a limit. The \
                 message lists them all; eight digits of one are enough."
            }
            Self::ForceUnreadable => {
                "The version of the schedule that is in force is kept in the database as a text, and \
                 this program cannot read it: it was accepted with another version of the program. \
                 Nothing goes while it is not known what is in force. Use the program that it was \
                 accepted with, or accept the file anew."
            }
            Self::Usage => {
                "A word or an option on the command line means nothing to this command, or one that \
                 it needs is missing. Nothing was done. `retentiond --help` lists the commands, and \
                 `retentiond COMMAND --help` what each of them takes."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_has_an_explanation_of_its_own_of_two_to_five_sentences() {
        let mut seen = BTreeSet::new();
        for code in Code::ALL {
            let text = code.explanation();
            let sentences = text.matches(". ").count() + 1;
            assert!(
                (2..=5).contains(&sentences),
                "{code}: {sentences} sentences"
            );
            assert!(text.ends_with('.'), "{code}");
            assert!(!text.contains("  "), "{code}: {text}");
            assert!(seen.insert(text), "{code} repeats another's");
        }
    }
}
