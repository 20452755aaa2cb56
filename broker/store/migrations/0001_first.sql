-- The first schema. What is queried is a column, everything else is JSON in `data`.
-- Times are microseconds since 1970, UTC. Announcements and deliveries carry a checksum of their row (`crc`).

CREATE TABLE run (
    id TEXT PRIMARY KEY,
    lease_until INTEGER NOT NULL,
    ended_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE announcement (
    id TEXT PRIMARY KEY,
    agency TEXT NOT NULL,
    reference TEXT NOT NULL,
    external_id TEXT,
    accepted_at INTEGER NOT NULL,
    status TEXT NOT NULL,
    closed_at INTEGER,
    wake_at INTEGER,
    owner TEXT,
    epoch INTEGER NOT NULL,
    data TEXT NOT NULL,
    crc INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX announcement_reference ON announcement (agency, reference);
CREATE UNIQUE INDEX announcement_external_id ON announcement (agency, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX announcement_newest ON announcement (agency, id);
CREATE INDEX announcement_status ON announcement (agency, status, id);
CREATE INDEX announcement_open ON announcement (owner, coalesce(wake_at, 0), closed_at) WHERE closed_at IS NULL;

-- What was handed in, the route as it stood, and what readers were to see: as accepted, never changed.
CREATE TABLE content (
    announcement_id TEXT PRIMARY KEY REFERENCES announcement (id),
    draft TEXT NOT NULL,
    plan TEXT NOT NULL,
    composed TEXT NOT NULL,
    crc INTEGER NOT NULL
) STRICT;

-- Small rows, since they change several times; `agency`, `urgent` and `accepted_at` are the announcement's.
CREATE TABLE delivery (
    announcement_id TEXT NOT NULL REFERENCES announcement (id),
    channel TEXT NOT NULL,
    agency TEXT NOT NULL,
    urgent INTEGER NOT NULL,
    accepted_at INTEGER NOT NULL,
    role TEXT NOT NULL,
    state TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    next_at INTEGER,
    live_at INTEGER,
    platform_id TEXT,
    cause TEXT,
    data TEXT NOT NULL,
    crc INTEGER NOT NULL,
    PRIMARY KEY (announcement_id, channel)
) STRICT, WITHOUT ROWID;

-- Partial indexes name their condition's column too: only so is a query answered from the index alone.
CREATE INDEX delivery_due ON delivery (agency, channel, urgent DESC, accepted_at, announcement_id, next_at, role, state)
    WHERE state = 'due';
CREATE INDEX delivery_live ON delivery (agency, channel, live_at, platform_id, state)
    WHERE state = 'live' AND platform_id IS NOT NULL;

-- Texts composed anew after accept (a late mark); they stand in for those of `content`.
CREATE TABLE recomposed (
    announcement_id TEXT NOT NULL,
    channel TEXT NOT NULL,
    composed TEXT NOT NULL,
    crc INTEGER NOT NULL,
    PRIMARY KEY (announcement_id, channel),
    FOREIGN KEY (announcement_id, channel) REFERENCES delivery (announcement_id, channel)
) STRICT;

CREATE TABLE event (
    announcement_id TEXT NOT NULL REFERENCES announcement (id),
    n INTEGER NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    channel TEXT,
    data TEXT NOT NULL,
    PRIMARY KEY (announcement_id, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE inbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    announcement_id TEXT NOT NULL REFERENCES announcement (id),
    channel TEXT,
    attempt INTEGER,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL
) STRICT;

CREATE TABLE idempotency (
    agency TEXT NOT NULL,
    key TEXT NOT NULL,
    digest TEXT NOT NULL,
    announcement_id TEXT NOT NULL REFERENCES announcement (id),
    at INTEGER NOT NULL,
    PRIMARY KEY (agency, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_at ON idempotency (at);

CREATE TABLE breaker (
    channel_key TEXT PRIMARY KEY,
    data TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE setting (
    key TEXT PRIMARY KEY,
    data TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- `fingerprint` is that of the token kept here, the guard of its replacement.
CREATE TABLE token (
    slot TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    parent TEXT,
    intent_at INTEGER,
    pair TEXT NOT NULL
) STRICT, WITHOUT ROWID;
