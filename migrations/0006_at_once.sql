-- A record can be past without a trigger, as where consent was withdrawn; then it has no last
-- day, nor perhaps a trigger, when it is flagged.
ALTER TABLE retentiond.flag
    ALTER COLUMN trigger_on DROP NOT NULL,
    ALTER COLUMN last_day DROP NOT NULL;
