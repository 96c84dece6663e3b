-- What people accept: versions of the schedule, and plans over their limits.

-- Each time that a version came into force, in order. The last one is in force; its text is
-- in schedule_version. What was enforced before anybody could accept anything was not
-- accepted.
CREATE TABLE retentiond.acceptance (
    acceptance_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest         bytea NOT NULL REFERENCES retentiond.schedule_version,
    -- by hand: a person; automatic: the schedule says so; at once: it changes nothing that asks
    how            text NOT NULL CHECK (how IN ('by hand', 'automatic', 'at once')),
    accepted_by    text NOT NULL,
    accepted_at    timestamptz NOT NULL,
    reason         text,
    -- what a person was shown: by class, how many records were due before and after
    counts         jsonb,
    CHECK ((how = 'by hand') = (reason IS NOT NULL))
);

-- A class that a pass stopped for a limit: with what the plan of that day has to say of it.
CREATE TABLE retentiond.stopped_plan (
    plan_digest      bytea NOT NULL,
    class_id         text NOT NULL,
    schedule_digest  bytea NOT NULL,
    plan_on          date NOT NULL,
    cutoff           date,
    limit_key        text NOT NULL,
    due              bigint NOT NULL,
    most             bigint NOT NULL,
    run_id           bigint NOT NULL,
    stopped_at       timestamptz NOT NULL,
    PRIMARY KEY (plan_digest, class_id)
);

-- A person's word that a class may go over its limits, once, by the cutoffs of one plan.
CREATE TABLE retentiond.limit_lift (
    lift_id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    class_id         text NOT NULL,
    plan_digest      bytea NOT NULL,
    schedule_digest  bytea NOT NULL,
    plan_on          date NOT NULL,
    due              bigint NOT NULL,
    accepted_by      text NOT NULL,
    accepted_at      timestamptz NOT NULL,
    reason           text NOT NULL,
    runs             bigint[] NOT NULL DEFAULT '{}',  -- the passes that went by it; more than one if it was broken off
    used_at          timestamptz                      -- when a pass had dealt with the class, or a later lift took its place
);
CREATE INDEX limit_lift_class ON retentiond.limit_lift (class_id);

-- Records of the class in the last pass that dealt with it to the end.
ALTER TABLE retentiond.class_state ADD COLUMN last_rows bigint;

REVOKE ALL ON TABLE retentiond.acceptance, retentiond.stopped_plan, retentiond.limit_lift FROM PUBLIC;
