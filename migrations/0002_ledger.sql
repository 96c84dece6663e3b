-- The ledger: entries and manifests. Append-only, by privilege and by trigger.
-- Schema retentiond exists (0001). Every byte of the formats: docs/LEDGER.md.
--
-- No foreign key, not even from manifest to entry: its check locks the entry's row
-- FOR KEY SHARE, for which the owner would need the right to UPDATE, given up below.
-- `ledger verify` finds a manifest without its entry, and an entry without its manifest.

-- Gaps are what a transaction leaves behind that was rolled back.
CREATE SEQUENCE retentiond.ledger_entry_id AS bigint;

-- One row an entry. `body` is the entry, as it is hashed; every other column but
-- `entry_id` is derived from it for look-ups, and computed again by `ledger verify`.
-- No row is ever changed, so that no page needs room for a second version of one.
CREATE TABLE retentiond.ledger_entry (
    entry_id   bigint      NOT NULL PRIMARY KEY,
    at         timestamptz NOT NULL,
    action     text        NOT NULL,
    class_id   text,
    table_name text,
    run_id     bigint,
    count      bigint      NOT NULL CHECK (count >= 0),
    body       bytea       NOT NULL,
    hash       bytea       NOT NULL CHECK (octet_length(hash) = 32)
) WITH (fillfactor = 100);

COMMENT ON TABLE retentiond.ledger_entry IS 'What was done: one row an entry. Append-only.';
COMMENT ON COLUMN retentiond.ledger_entry.body IS 'The entry''s bytes, exactly as they are hashed';
COMMENT ON COLUMN retentiond.ledger_entry.hash IS 'SHA-256(0x00 || body), a leaf of RFC 6962';

-- Each ends in entry_id, so that a listing is read in its order.
CREATE INDEX ledger_entry_class  ON retentiond.ledger_entry (class_id, entry_id) WHERE class_id IS NOT NULL;
CREATE INDEX ledger_entry_table  ON retentiond.ledger_entry (table_name, entry_id) WHERE table_name IS NOT NULL;
CREATE INDEX ledger_entry_run    ON retentiond.ledger_entry (run_id, entry_id) WHERE run_id IS NOT NULL;
CREATE INDEX ledger_entry_action ON retentiond.ledger_entry (action, entry_id);
CREATE INDEX ledger_entry_at     ON retentiond.ledger_entry (at, entry_id);

-- The records of the entries that have any. By year of the entry's `at`, in UTC, so
-- that a year's details can be dropped as one table.
CREATE TABLE retentiond.ledger_manifest (
    entry_id   bigint   NOT NULL,
    year       smallint NOT NULL,
    table_name text     NOT NULL,
    seed       bytea    NOT NULL CHECK (octet_length(seed) = 32),
    filter     bytea    NOT NULL,
    records    bytea    NOT NULL,
    PRIMARY KEY (entry_id, year)
) PARTITION BY LIST (year);

COMMENT ON TABLE retentiond.ledger_manifest IS 'Which records an entry is about, packed. Append-only.';

-- Packed records and filter bits are as good as random: trying to compress them costs
-- time at each batch and wins nothing. Out of line, so that a look-up that reads every
-- filter of a table reads no records.
ALTER TABLE retentiond.ledger_manifest
    ALTER COLUMN filter SET STORAGE EXTERNAL,
    ALTER COLUMN records SET STORAGE EXTERNAL;

CREATE INDEX ledger_manifest_table ON retentiond.ledger_manifest (table_name, entry_id);

DO $$
BEGIN
    FOR year IN 2024..2060 LOOP
        EXECUTE format(
            'CREATE TABLE retentiond.ledger_manifest_%s PARTITION OF retentiond.ledger_manifest '
            'FOR VALUES IN (%s) WITH (fillfactor = 100)', year, year);
    END LOOP;
END
$$;
CREATE TABLE retentiond.ledger_manifest_other PARTITION OF retentiond.ledger_manifest DEFAULT
    WITH (fillfactor = 100);

CREATE FUNCTION retentiond.ledger_refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: % on %.% is refused', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege',
              HINT = 'What was written stays. A correction is a new entry.';
END
$$;

-- Makes a table of the ledger append-only. A statement's trigger fires only on the
-- table that the statement names, so that each partition needs its own. ALWAYS: also
-- under session_replication_role = replica. A superuser is stopped by the trigger, its
-- owner already by the privilege that it gives up; either can undo that by DDL, which
-- is what sealing and publication outside the database are for.
CREATE FUNCTION retentiond.ledger_make_append_only(target regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    EXECUTE format(
        'CREATE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %s '
        'FOR EACH STATEMENT EXECUTE FUNCTION retentiond.ledger_refuse_change()', target);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER ledger_append_only', target);
    EXECUTE format('REVOKE ALL ON %s FROM PUBLIC', target);
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON %s FROM CURRENT_USER', target);
END
$$;

REVOKE ALL ON FUNCTION retentiond.ledger_refuse_change() FROM PUBLIC;
REVOKE ALL ON FUNCTION retentiond.ledger_make_append_only(regclass) FROM PUBLIC;
REVOKE ALL ON SEQUENCE retentiond.ledger_entry_id FROM PUBLIC;

SELECT retentiond.ledger_make_append_only('retentiond.ledger_entry');
SELECT retentiond.ledger_make_append_only(relid)
FROM pg_partition_tree('retentiond.ledger_manifest');
