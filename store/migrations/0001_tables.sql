-- One text for SQLite and PostgreSQL. Instants are microseconds since 1970, JSON is TEXT.

CREATE TABLE bookings (
    id TEXT PRIMARY KEY,
    first_run_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    service TEXT NOT NULL,
    plan TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- Of the plan, for the dashboard; the stored method from when it is stored.
    place TEXT,
    pay_kind TEXT,
    method TEXT,
    -- From here on: the fold of the booking's events, and what lists look for in it.
    view TEXT NOT NULL,
    seq BIGINT NOT NULL,
    status TEXT NOT NULL,
    company TEXT,
    assignee TEXT,
    starts_at BIGINT NOT NULL,
    amount BIGINT,
    currency TEXT,
    changed_at BIGINT NOT NULL
);
CREATE INDEX bookings_by_age ON bookings (created_at, id);
CREATE INDEX bookings_by_owner ON bookings (owner, created_at, id);
CREATE INDEX bookings_by_company ON bookings (company, created_at, id);
CREATE INDEX bookings_by_start ON bookings (starts_at, id);
CREATE INDEX bookings_by_owner_and_start ON bookings (owner, starts_at, id);
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
    -- Where it is, and when it takes place: an exhibition's hall and date.
    place TEXT,
    starts_at BIGINT,
    price BIGINT NOT NULL,
    currency TEXT NOT NULL,
    capacity BIGINT NOT NULL,
    held BIGINT NOT NULL,
    taken BIGINT NOT NULL,
    open BOOLEAN NOT NULL,
    -- Set once, and for good: what was withdrawn is never open again.
    withdrawn_at BIGINT,
    created_at BIGINT NOT NULL,
    CONSTRAINT pools_within CHECK (held >= 0 AND taken >= 0 AND held + taken <= capacity)
);
CREATE INDEX pools_by_price ON pools (kind, variant, price, id);

-- The one hold of a booking: held, firm, taken, used, expired, released, refused, or closed before it was
-- placed. A pool counts both taken and used ones as taken.
CREATE TABLE holds (
    booking_id TEXT PRIMARY KEY,
    pool_id TEXT,
    quantity BIGINT NOT NULL,
    state TEXT NOT NULL,
    code TEXT,
    expires_at BIGINT,
    changed_at BIGINT NOT NULL
);
CREATE INDEX holds_by_pool ON holds (pool_id);

-- People who can be assigned: drivers, cleaners. Places are millionths of a degree.
CREATE TABLE staff (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    company TEXT NOT NULL,
    name TEXT NOT NULL,
    phone TEXT NOT NULL,
    language TEXT NOT NULL,
    skills TEXT NOT NULL,
    available BOOLEAN NOT NULL,
    lat_e6 BIGINT,
    lon_e6 BIGINT,
    located_at BIGINT,
    created_at BIGINT NOT NULL
);
CREATE INDEX staff_near ON staff (kind, lat_e6, lon_e6) WHERE available;
CREATE INDEX staff_by_age ON staff (created_at, id);

-- Who serves a booking, or is asked to: one at a time for both of them.
CREATE TABLE claims (
    offer_id TEXT PRIMARY KEY,
    booking_id TEXT NOT NULL,
    ordinal BIGINT NOT NULL,
    staff_id TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    expires_at BIGINT,
    ended_at BIGINT,
    CONSTRAINT claims_in_order UNIQUE (booking_id, ordinal)
);
CREATE UNIQUE INDEX claims_one_per_staff ON claims (staff_id) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX claims_one_per_booking ON claims (booking_id) WHERE ended_at IS NULL;
CREATE INDEX claims_by_staff ON claims (staff_id, made_at, offer_id);

-- What lets a visitor in.
CREATE TABLE confirmations (
    booking_id TEXT PRIMARY KEY,
    number TEXT NOT NULL,
    issued_at BIGINT NOT NULL,
    cancelled_at BIGINT,
    CONSTRAINT confirmations_numbered UNIQUE (number)
);

-- What customers pay with: tokens of the payment provider, never card numbers.
CREATE TABLE payment_methods (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    kind TEXT NOT NULL,
    token TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    is_default BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    detached_at BIGINT
);
CREATE INDEX payment_methods_by_owner ON payment_methods (owner, created_at, id);
CREATE UNIQUE INDEX payment_methods_one_default ON payment_methods (owner)
    WHERE is_default AND detached_at IS NULL;

-- What goes on for a while: the withdrawal of an exhibition.
CREATE TABLE operations (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    company TEXT NOT NULL,
    actor TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    reason TEXT,
    state TEXT NOT NULL,
    total BIGINT NOT NULL,
    done BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
CREATE INDEX operations_by_subject ON operations (subject);
CREATE INDEX operations_running ON operations (created_at) WHERE state = 'running';

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
    -- Whether it is for the customer or for the staff, and who that is.
    audience TEXT NOT NULL,
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
    CONSTRAINT messages_once UNIQUE (booking_id, event_key, channel, recipient, audience)
);
CREATE INDEX messages_due ON messages (shard, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX messages_in_order ON messages (booking_id, seq, step);
CREATE INDEX messages_by_customer ON messages (customer, audience, created_at, id);

-- Commands that are being given to bookings: a row goes once its workflow has answered for good. At due_at
-- it is given, or given again.
CREATE TABLE commands (
    id TEXT PRIMARY KEY,
    booking_id TEXT NOT NULL,
    command TEXT NOT NULL,
    due_at BIGINT NOT NULL
);
CREATE INDEX commands_due ON commands (due_at);

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
