-- What people ask about themselves: that their records be erased before their time.
--
-- Whom a request is about stands here only until nothing of it is left to do. What stays is
-- the keyed hash that the ledger has as well, a tombstone: by it records about the person that are
-- there again, after an import or a restored backup, are known.
CREATE TABLE retentiond.erasure (
    erasure_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject        text,               -- as the column that names the person writes it
    subject_id     text NOT NULL,      -- its keyed hash
    requested_on   date NOT NULL,      -- every claim's last day is the day before
    basis          text NOT NULL,
    reference      text NOT NULL,
    requested_by   text NOT NULL,
    requested_at   timestamptz NOT NULL,
    salt           bytea,              -- none where it was brought back from the log
    closed_at      timestamptz,
    withdrawn_by   text,
    withdraw_reason text,
    looked_on      date,               -- when records about the person were last looked for
    returned       bigint,             -- how many there were then
    returned_at    timestamptz,        -- since when
    known_by       text,               -- who said that they are rightly there
    known_reason   text,
    CHECK ((subject IS NULL) = (closed_at IS NOT NULL)),
    CHECK ((withdrawn_by IS NULL) = (withdraw_reason IS NULL)),
    CHECK ((known_by IS NULL) = (known_reason IS NULL))
);
CREATE INDEX erasure_open ON retentiond.erasure (subject) WHERE closed_at IS NULL;
