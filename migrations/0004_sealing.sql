-- Sealing: the order of the log, and what is signed of it. Every byte: docs/LEDGER.md.

-- Which log this is, as its key and its checkpoints name it. Another row only when a
-- restored database has lost entries for good: it goes on as another log, from `from_size`
-- on, so that one log never has two entries in one place.
CREATE TABLE retentiond.ledger_origin (
    name       text        NOT NULL PRIMARY KEY,
    from_size  bigint      NOT NULL CHECK (from_size >= 0),
    made_at    timestamptz NOT NULL
) WITH (fillfactor = 100);
INSERT INTO retentiond.ledger_origin (name, from_size, made_at)
SELECT 'retentiond/' || id, 0, made_at FROM retentiond.origin;

COMMENT ON TABLE retentiond.ledger_origin IS 'Which log this is; the last row. Append-only.';

-- The place of each sealed entry. `nodes` are the hashes of the perfect subtrees that this
-- leaf completes, of 2, 4, 8 … leaves: derived, and all that a root or a proof needs.
CREATE TABLE retentiond.ledger_seal (
    leaf_index  bigint NOT NULL PRIMARY KEY CHECK (leaf_index >= 0),
    entry_id    bigint NOT NULL UNIQUE,
    nodes       bytea  NOT NULL CHECK (octet_length(nodes) % 32 = 0)
) WITH (fillfactor = 100);

COMMENT ON TABLE retentiond.ledger_seal IS 'In which order the entries are sealed. Append-only.';

-- What was signed. One root for one size, whoever asks.
CREATE TABLE retentiond.ledger_checkpoint (
    size    bigint      NOT NULL PRIMARY KEY CHECK (size > 0),
    root    bytea       NOT NULL CHECK (octet_length(root) = 32),
    note    text        NOT NULL,
    at      timestamptz NOT NULL
) WITH (fillfactor = 100);

COMMENT ON TABLE retentiond.ledger_checkpoint IS 'Signed checkpoints, as they were published. Append-only.';

SELECT retentiond.ledger_make_append_only(name::regclass)
FROM unnest('{retentiond.ledger_origin, retentiond.ledger_seal, retentiond.ledger_checkpoint}'::text[]) AS name;

-- Entries that are to be sealed, put here with them. A queue, so that sealing never has
-- to look for them among all that are sealed; which entries are sealed, ledger_seal says.
CREATE TABLE retentiond.unsealed (
    entry_id  bigint NOT NULL PRIMARY KEY
);
INSERT INTO retentiond.unsealed SELECT entry_id FROM retentiond.ledger_entry;
REVOKE ALL ON TABLE retentiond.unsealed FROM PUBLIC;
