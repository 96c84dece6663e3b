-- What is told to people outside: an outbox, delivered at least once. No row of it holds
-- personal data: classes, counts and dates alone.
CREATE TABLE retentiond.notice (
    notice_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The same at each try, so that a receiver can drop repetitions.
    idempotency_key text NOT NULL UNIQUE,
    kind            text NOT NULL CHECK (kind IN ('email', 'webhook')),
    receiver        text NOT NULL,    -- its name in the settings
    run_id          bigint NOT NULL,  -- no reference: a pass's report may go before
    body            json NOT NULL,
    created_at      timestamptz NOT NULL,
    attempts        integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_try_at     timestamptz NOT NULL,
    delivered_at    timestamptz,
    given_up_at     timestamptz,
    last_error      text,
    UNIQUE (kind, receiver, run_id),
    CHECK (delivered_at IS NULL OR given_up_at IS NULL)
);
CREATE INDEX notice_open ON retentiond.notice (next_try_at)
    WHERE delivered_at IS NULL AND given_up_at IS NULL;

-- What each receiver was told last of a matter that lasts, so that it is news once.
CREATE TABLE retentiond.notice_told (
    kind       text NOT NULL,
    receiver   text NOT NULL,
    topic      text NOT NULL,
    about      text NOT NULL,
    count      bigint NOT NULL,
    since      date NOT NULL,
    told_on    date NOT NULL,
    PRIMARY KEY (kind, receiver, topic, about)
);

REVOKE ALL ON TABLE retentiond.notice, retentiond.notice_told FROM PUBLIC;
