-- What others hold for the organisation: the instructions to destroy it, and their
-- confirmations. One row an instruction; it is never deleted.
CREATE TABLE retentiond.processor_order (
    order_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    class_id        text NOT NULL,
    -- What the letter says, so that it can be printed again as it was sent.
    organisation    text NOT NULL,
    title           text NOT NULL,
    processor       text NOT NULL,
    authority       text NOT NULL,
    owner           text,
    period          text,
    -- What it stands on. Without a trigger, the controller's instruction alone.
    trigger_on      date,
    last_day        date,
    schedule_digest bytea NOT NULL,
    instruction_id  bigint,           -- no reference: a database that is restored may not have it any more
    past_from       date NOT NULL,    -- since when the data should be gone
    tolerance       integer NOT NULL CHECK (tolerance >= 0),
    run_id          bigint,           -- none where it was brought back from the log
    issued_on       date NOT NULL,    -- the day in the schedule's zone
    issued_at       timestamptz NOT NULL,
    answer_by       date NOT NULL,
    salt            bytea NOT NULL,
    superseded_at   timestamptz,      -- another one of its class took its place
    -- The processor's word that it is done, and who wrote it down here.
    confirmed_by    text,
    reference       text,
    document        bytea CHECK (length(document) = 32),  -- SHA-256 of the confirmation's bytes
    recorded_by     text,
    confirmed_at    timestamptz,
    confirmed_on    date,
    confirmation_salt bytea,
    CHECK ((trigger_on IS NULL) = (last_day IS NULL)),
    CHECK (num_nulls(confirmed_by, reference, recorded_by, confirmed_at, confirmed_on, confirmation_salt) IN (0, 6)),
    CHECK (superseded_at IS NULL OR confirmed_at IS NULL)
);
-- Once for a class, trigger and last day; without those, once for an instruction.
CREATE UNIQUE INDEX processor_order_once ON retentiond.processor_order
    (class_id, coalesce(trigger_on, 'infinity'), coalesce(last_day, 'infinity'),
     (CASE WHEN trigger_on IS NULL THEN coalesce(instruction_id, 0) ELSE 0 END));
CREATE UNIQUE INDEX processor_order_open ON retentiond.processor_order (class_id)
    WHERE confirmed_at IS NULL AND superseded_at IS NULL;

-- A hold on a class that a processor holds has no table.
ALTER TABLE retentiond.hold
    DROP CONSTRAINT hold_scope_fits,
    ADD CONSTRAINT hold_scope_fits CHECK (CASE scope
        WHEN 'record' THEN table_name IS NOT NULL AND key IS NOT NULL
        WHEN 'subject' THEN subject_id IS NOT NULL
             AND (subject IS NOT NULL OR released_at IS NOT NULL OR expired_at IS NOT NULL)
        WHEN 'class' THEN class_id IS NOT NULL AND condition IS NULL
        ELSE class_id IS NOT NULL AND table_name IS NOT NULL AND condition IS NOT NULL END);

REVOKE ALL ON TABLE retentiond.processor_order FROM PUBLIC;
