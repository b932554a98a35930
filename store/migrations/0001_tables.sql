-- One text for SQLite and PostgreSQL. Instants are microseconds since 1970, JSON is TEXT.

CREATE TABLE bookings (
    id TEXT PRIMARY KEY,
    first_run_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    service TEXT NOT NULL,
    plan TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- From here on: the fold of the booking's events, and what lists look for in it.
    view TEXT NOT NULL,
    seq BIGINT NOT NULL,
    status TEXT NOT NULL,
    company TEXT,
    assignee TEXT,
    changed_at BIGINT NOT NULL
);
CREATE INDEX bookings_by_age ON bookings (created_at, id);
CREATE INDEX bookings_by_owner ON bookings (owner, created_at, id);
CREATE INDEX bookings_to_approve ON bookings (created_at, id) WHERE status = 'awaiting_approval';

CREATE TABLE events (
    booking_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    event_key TEXT NOT NULL,
    at BIGINT NOT NULL,
    command_id TEXT,
    event TEXT NOT NULL,
    PRIMARY KEY (booking_id, seq),
    CONSTRAINT events_once UNIQUE (booking_id, event_key)
);
CREATE INDEX events_by_command ON events (booking_id, command_id) WHERE command_id IS NOT NULL;

CREATE TABLE acts (
    act_key TEXT PRIMARY KEY,
    booking_id TEXT NOT NULL,
    outcome TEXT NOT NULL,
    at BIGINT NOT NULL
);

CREATE TABLE pools (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    company TEXT NOT NULL,
    variant TEXT,
    label TEXT NOT NULL,
    price BIGINT NOT NULL,
    currency TEXT NOT NULL,
    capacity BIGINT NOT NULL,
    held BIGINT NOT NULL,
    taken BIGINT NOT NULL,
    open BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT pools_within CHECK (held >= 0 AND taken >= 0 AND held + taken <= capacity)
);
CREATE INDEX pools_by_price ON pools (kind, variant, price, id);

-- The one hold of a booking: held, firm, taken, expired, released, refused, or closed before it was placed.
CREATE TABLE holds (
    booking_id TEXT PRIMARY KEY,
    pool_id TEXT,
    quantity BIGINT NOT NULL,
    state TEXT NOT NULL,
    code TEXT,
    expires_at BIGINT,
    changed_at BIGINT NOT NULL
);
CREATE INDEX holds_active ON holds (pool_id) WHERE state IN ('held', 'firm', 'taken');

-- Calls to the payment provider: sent, done, or closed before anything was sent.
CREATE TABLE attempts (
    act_key TEXT PRIMARY KEY,
    booking_id TEXT NOT NULL,
    kind TEXT,
    state TEXT NOT NULL,
    request TEXT,
    outcome TEXT,
    asked BIGINT NOT NULL,
    began_at BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE INDEX attempts_by_booking ON attempts (booking_id);

CREATE TABLE ledger (
    booking_id TEXT NOT NULL,
    posting_key TEXT NOT NULL,
    account TEXT NOT NULL,
    minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (posting_key, account)
);
CREATE INDEX ledger_by_booking ON ledger (booking_id);

-- Messages to send, in their order per booking: (seq of the event, step of the fallback).
-- due_at is NULL once a row is delivered or failed.
CREATE TABLE messages (
    id TEXT PRIMARY KEY,
    booking_id TEXT NOT NULL,
    event_key TEXT NOT NULL,
    seq BIGINT NOT NULL,
    step BIGINT NOT NULL,
    channel TEXT NOT NULL,
    recipient TEXT NOT NULL,
    customer TEXT NOT NULL,
    template TEXT NOT NULL,
    body TEXT NOT NULL,
    status TEXT NOT NULL,
    shard BIGINT NOT NULL,
    due_at BIGINT,
    attempts BIGINT NOT NULL,
    maybe_sent_twice BOOLEAN NOT NULL,
    gateway_id TEXT,
    error TEXT,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    CONSTRAINT messages_once UNIQUE (booking_id, event_key, channel, recipient)
);
CREATE INDEX messages_due ON messages (shard, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX messages_in_order ON messages (booking_id, seq, step);
CREATE INDEX messages_by_customer ON messages (customer, created_at, id);

-- Commands that are being given to bookings: a row goes once its workflow has answered for good.
CREATE TABLE commands (
    id TEXT PRIMARY KEY,
    booking_id TEXT NOT NULL,
    command TEXT NOT NULL,
    given_at BIGINT NOT NULL
);
CREATE INDEX commands_by_age ON commands (given_at);

CREATE TABLE cancellation_quotes (
    id TEXT PRIMARY KEY,
    booking_id TEXT NOT NULL,
    terms TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE partners (
    partner TEXT PRIMARY KEY,
    away_until BIGINT
);

CREATE TABLE queues (
    queue TEXT PRIMARY KEY,
    families TEXT NOT NULL
);
