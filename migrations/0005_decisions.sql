-- What people decide about records: what is to be kept, what may go, on whose order.
--
-- Each row names who decided and why. The ledger names neither: its entry has a hash over
-- these words and `salt`, so that whoever is shown a row can check that nobody changed it.

-- Whatever protects. A hold ends when its matter does; an exemption has no end, and is
-- looked at every year; a restriction keeps a person's records from being used and from being
-- disposed of; a keep is a reviewer's "not before that day".
ALTER TABLE retentiond.hold
    ALTER COLUMN table_name DROP NOT NULL,
    ALTER COLUMN key DROP NOT NULL,
    ADD COLUMN form        text NOT NULL DEFAULT 'hold'
        CHECK (form IN ('hold', 'exemption', 'restriction', 'keep')),
    ADD COLUMN scope       text NOT NULL DEFAULT 'record'
        CHECK (scope IN ('record', 'subject', 'class', 'condition')),
    ADD COLUMN subject     text,      -- as the column that names the person writes it; only while it binds
    ADD COLUMN subject_id  text,      -- its keyed hash, as the ledger has it
    ADD COLUMN class_id    text,
    ADD COLUMN claim       text,      -- the class's own condition when the hold was placed
    ADD COLUMN condition   text,
    ADD COLUMN authority   text,
    ADD COLUMN not_before  date,      -- protects before this day, released or not
    ADD COLUMN review_id   bigint,    -- of a keep: the decision that it belongs to
    ADD COLUMN salt        bytea,
    ADD COLUMN expired_at  timestamptz CHECK (expired_at IS NULL OR until_on IS NOT NULL),  -- when its end was noted; it bound to that day
    DROP CONSTRAINT hold_kind_check,
    ADD CONSTRAINT hold_kind_check CHECK (CASE form
        WHEN 'hold' THEN kind IN ('litigation', 'foi', 'access-request', 'safeguarding', 'other')
        WHEN 'exemption' THEN kind IN ('archiving', 'research', 'statistics') AND until_on IS NULL
        ELSE kind = form END),
    ADD CONSTRAINT hold_scope_fits CHECK (CASE scope
        WHEN 'record' THEN table_name IS NOT NULL AND key IS NOT NULL
        WHEN 'subject' THEN subject_id IS NOT NULL
             AND (subject IS NOT NULL OR released_at IS NOT NULL OR expired_at IS NOT NULL)
        WHEN 'class' THEN class_id IS NOT NULL AND table_name IS NOT NULL AND condition IS NULL
        ELSE class_id IS NOT NULL AND table_name IS NOT NULL AND condition IS NOT NULL END);
DROP INDEX retentiond.hold_open;
CREATE INDEX hold_open ON retentiond.hold (table_name, scope) WHERE released_at IS NULL;
CREATE INDEX hold_record ON retentiond.hold (table_name, key) WHERE scope = 'record';

-- A reviewer's decision, about one record or many at once.
CREATE TABLE retentiond.review (
    review_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    class_id    text NOT NULL,
    decision    text NOT NULL CHECK (decision IN ('approve', 'keep', 'hand-on', 'revoke')),
    records     bigint NOT NULL,
    until_on    date,
    handed_to   text,
    reason      text NOT NULL,
    decided_by  text NOT NULL,
    decided_at  timestamptz NOT NULL,
    salt        bytea NOT NULL,
    CHECK ((decision = 'keep') = (until_on IS NOT NULL)),
    CHECK ((decision = 'hand-on') = (handed_to IS NOT NULL))
);

-- A record that a reviewer approved: it counts while the record's trigger, its last day and
-- what the class means are what they were.
CREATE TABLE retentiond.approval (
    review_id     bigint NOT NULL REFERENCES retentiond.review,
    class_id      text NOT NULL,
    table_name    text NOT NULL,
    key           text[] NOT NULL,
    trigger_on    date,
    last_day      date,
    class_digest  bytea NOT NULL,
    approved_by   text NOT NULL,
    run_id        bigint,             -- the pass that went by it; it counts no more
    voided_at     timestamptz,        -- or somebody decided otherwise
    PRIMARY KEY (class_id, key, review_id)
);
CREATE INDEX approval_run ON retentiond.approval (run_id, class_id) WHERE run_id IS NOT NULL;

-- Whose work a record in the queue is.
CREATE TABLE retentiond.handed_on (
    class_id    text NOT NULL,
    key         text[] NOT NULL,
    review_id   bigint NOT NULL REFERENCES retentiond.review,
    PRIMARY KEY (class_id, key)
);

-- The controller's order that a class with `gate = "instruction"` waits for.
CREATE TABLE retentiond.instruction (
    instruction_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    class_id         text NOT NULL,
    given_by         text NOT NULL,
    reference        text NOT NULL,
    until_on         date,            -- covers the class through the end of this day in the schedule's zone
    recorded_by      text NOT NULL,
    recorded_at      timestamptz NOT NULL,
    withdrawn_by     text,
    withdrawn_at     timestamptz,
    withdraw_reason  text,
    salt             bytea NOT NULL,
    CHECK ((withdrawn_at IS NULL) = (withdrawn_by IS NULL))
);
CREATE INDEX instruction_open ON retentiond.instruction (class_id) WHERE withdrawn_at IS NULL;

-- A class, or everything, that nothing is to be done with for now.
CREATE TABLE retentiond.pause (
    pause_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    class_id       text,              -- null: every class
    reason         text NOT NULL,
    paused_by      text NOT NULL,
    paused_at      timestamptz NOT NULL,
    resumed_by     text,
    resumed_at     timestamptz,
    salt           bytea NOT NULL,
    CHECK ((resumed_at IS NULL) = (resumed_by IS NULL))
);
CREATE INDEX pause_open ON retentiond.pause (class_id) WHERE resumed_at IS NULL;

-- Who may decide what. Without any, the system's accounts may everything.
CREATE TABLE retentiond.operator (
    name      text NOT NULL,
    role      text NOT NULL CHECK (role IN ('viewer', 'reviewer', 'holds', 'administrator')),
    added_by  text NOT NULL,
    added_at  timestamptz NOT NULL,
    PRIMARY KEY (name, role)
);

REVOKE ALL ON TABLE retentiond.review, retentiond.approval, retentiond.handed_on,
    retentiond.instruction, retentiond.pause, retentiond.operator FROM PUBLIC;
