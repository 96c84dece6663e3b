-- retentiond's bookkeeping, in the schema `retentiond` of the database it keeps in order.
--
-- Nothing here refers to an organisation's table by a foreign key: their tables are
-- theirs, and may be altered, dropped or sharded. Records are named by `table_name`
-- ('schema.name') and `key`: the primary key's columns, in the key's order, as text.

-- Who this log is. Made once; state outside the database (keys, the published log) is
-- kept under this name, never under the database's.
CREATE TABLE retentiond.origin (
    only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    id        uuid NOT NULL DEFAULT gen_random_uuid(),
    made_at   timestamptz NOT NULL DEFAULT now()
);
INSERT INTO retentiond.origin DEFAULT VALUES;

-- Incremented by every decision, under the exclusive decisions' lock; read by every batch
-- under the shared one. A batch whose plan was drawn at another epoch stops.
CREATE TABLE retentiond.decision_epoch (
    only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    epoch     bigint NOT NULL DEFAULT 1
);
INSERT INTO retentiond.decision_epoch DEFAULT VALUES;

-- A hold protects a record, and whatever it belongs to, from everything.
CREATE TABLE retentiond.hold (
    hold_id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    table_name      text NOT NULL,
    key             text[] NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('litigation', 'foi', 'access-request', 'safeguarding', 'other')),
    reference       text NOT NULL,
    reason          text NOT NULL,
    owner           text NOT NULL,
    placed_by       text NOT NULL,
    placed_at       timestamptz NOT NULL,
    review_on       date,
    until_on        date,             -- protects through the end of this day in the schedule's zone
    released_by     text,
    released_at     timestamptz,
    release_reason  text,
    CHECK ((released_at IS NULL) = (released_by IS NULL))
);
CREATE INDEX hold_open ON retentiond.hold (table_name) WHERE released_at IS NULL;

-- Records that a class has flagged. A flag counts only while the trigger and the class's
-- semantic digest are what they were.
CREATE TABLE retentiond.flag (
    class_id      text NOT NULL,
    table_name    text NOT NULL,
    key           text[] NOT NULL,
    trigger_on    date NOT NULL,
    last_day      date NOT NULL,
    class_digest  bytea NOT NULL,
    flagged_at    timestamptz NOT NULL,
    run_id        bigint NOT NULL,
    PRIMARY KEY (class_id, key)
) WITH (fillfactor = 90);

-- Records that failed by themselves, with the machine's reason only (an SQLSTATE and the
-- name of a constraint): a server's message can quote the row.
CREATE TABLE retentiond.quarantine (
    class_id    text NOT NULL,
    table_name  text NOT NULL,
    key         text[] NOT NULL,
    range_no    integer NOT NULL,      -- where it lies: exactly the rows after `after_at`, up to `until_at`
    after_at    text[],
    until_at    text[] NOT NULL,
    reason      text NOT NULL,
    first_at    timestamptz NOT NULL,
    last_at     timestamptz NOT NULL,
    run_id      bigint NOT NULL,
    PRIMARY KEY (class_id, key)
);

-- Where a class that leaves its rows in the table (flag, anonymise) has got to, per range
-- (one range for each way its trigger can be read). Only ever an optimisation: another
-- `basis` (schedule, catalogue, decision epoch) starts again from the beginning.
-- The re-read of what lies behind the position has a place of its own (`swept_*`).
CREATE TABLE retentiond.position (
    class_id       text NOT NULL,
    range_no       integer NOT NULL,
    basis          bytea NOT NULL,
    reached        text[],            -- trigger first (unless the range is by key alone), then the key
    swept          text[],            -- how far the present sweep has come; null: at the beginning
    sweep_rows     bigint NOT NULL DEFAULT 0,   -- rows read by the present sweep
    last_sweep_rows bigint,           -- rows read by the last complete one
    sweep_done_at  timestamptz,       -- when the last complete sweep began
    sweep_began_at timestamptz,
    PRIMARY KEY (class_id, range_no)
);

-- One pass over the schedule.
CREATE TABLE retentiond.run (
    run_id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    started_at       timestamptz NOT NULL,
    finished_at      timestamptz,
    plan_digest      bytea NOT NULL,
    schedule_digest  bytea NOT NULL,
    actor            text NOT NULL,
    outcome          text CHECK (outcome IN ('completed', 'partial', 'failed', 'stopped')),
    report           jsonb
);

-- What is remembered of a class between passes.
CREATE TABLE retentiond.class_state (
    class_id      text PRIMARY KEY,
    last_success  timestamptz,
    last_run_id   bigint,
    last_status   text
);

-- Who may act on a class. The token changes hands with the lease; every batch checks it.
CREATE TABLE retentiond.lease (
    class_id    text PRIMARY KEY,
    token       bigint NOT NULL DEFAULT 0,
    holder      text,
    expires_at  timestamptz NOT NULL DEFAULT '-infinity'
);

-- Files whose rows are gone and which are still to be removed. Committed together with
-- the row's deletion and its ledger entry; cleared together with the entry `file-removed`.
CREATE TABLE retentiond.file_work (
    work_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    class_id    text NOT NULL,
    table_name  text NOT NULL,
    store       text NOT NULL,
    path        text NOT NULL,
    entry_id    bigint NOT NULL,       -- the ledger entry of the row's deletion
    run_id      bigint NOT NULL,
    attempts    integer NOT NULL DEFAULT 0,
    last_error  text
);

-- Each version of the schedule that was ever in force, as it was written.
CREATE TABLE retentiond.schedule_version (
    digest       bytea PRIMARY KEY,
    file_digest  bytea NOT NULL,
    text         text NOT NULL,
    in_force_from timestamptz NOT NULL
);

REVOKE ALL ON ALL TABLES IN SCHEMA retentiond FROM PUBLIC;
