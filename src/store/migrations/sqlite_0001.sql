-- The journal: every notice that was acknowledged, and what became of it.
CREATE TABLE events (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    pair        TEXT NOT NULL,
    dedupe      TEXT NOT NULL,
    side        TEXT,
    object      TEXT,
    record      TEXT,
    change      TEXT,
    raw         TEXT NOT NULL,
    occurred_at INTEGER,
    received_at INTEGER NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('pending', 'done', 'parked', 'ignored')),
    note        TEXT,
    lane        INTEGER,
    fence       INTEGER,
    settled_at  INTEGER,
    UNIQUE (pair, dedupe)
) STRICT;
CREATE INDEX events_of_lane ON events (lane, occurred_at, id) WHERE state = 'pending';
CREATE INDEX events_of_record ON events (pair, side, object, record);
CREATE INDEX events_pending ON events (received_at) WHERE state = 'pending';

-- One row for each record that has work; deleted when it has none.
CREATE TABLE lanes (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    pair        TEXT NOT NULL,
    side        TEXT NOT NULL,
    object      TEXT NOT NULL,
    record      TEXT NOT NULL,
    not_before  INTEGER NOT NULL,
    owner       TEXT,
    fence       INTEGER NOT NULL DEFAULT 0,
    lease_until INTEGER,
    attempts    INTEGER NOT NULL DEFAULT 0,
    last_error  TEXT,
    UNIQUE (pair, side, object, record)
) STRICT;
CREATE INDEX lanes_due ON lanes (pair, not_before, id);

-- Mappings asked for by name, beside those that events trigger.
CREATE TABLE requests (
    lane    INTEGER NOT NULL REFERENCES lanes (id) ON DELETE CASCADE,
    mapping TEXT NOT NULL,
    fence   INTEGER,
    PRIMARY KEY (lane, mapping)
) STRICT;

-- Which record a mapping wrote for which source record.
CREATE TABLE links (
    pair          TEXT NOT NULL,
    mapping       TEXT NOT NULL,
    side          TEXT NOT NULL,
    object        TEXT NOT NULL,
    record        TEXT NOT NULL,
    target_side   TEXT NOT NULL,
    target_object TEXT NOT NULL,
    target        TEXT NOT NULL,
    tombstone     INTEGER NOT NULL DEFAULT 0,
    updated_at    INTEGER NOT NULL,
    PRIMARY KEY (pair, mapping, side, object, record)
) STRICT;
CREATE INDEX links_of_target ON links (pair, target_side, target_object, target);

-- Records that wait for a person; at most one open row for each record and mapping.
CREATE TABLE parked (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    pair       TEXT NOT NULL,
    side       TEXT NOT NULL,
    object     TEXT NOT NULL,
    record     TEXT NOT NULL,
    mapping    TEXT NOT NULL,
    events     TEXT NOT NULL,
    reason     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('open', 'retried', 'resolved', 'dropped')),
    closed_at  INTEGER
) STRICT;
CREATE UNIQUE INDEX parked_open ON parked (pair, side, object, record, mapping) WHERE state = 'open';

-- Records whose mapping waits for a source field to change.
CREATE TABLE waiting (
    pair    TEXT NOT NULL,
    mapping TEXT NOT NULL,
    side    TEXT NOT NULL,
    object  TEXT NOT NULL,
    record  TEXT NOT NULL,
    reason  TEXT NOT NULL,
    fields  TEXT NOT NULL,
    since   INTEGER NOT NULL,
    PRIMARY KEY (pair, mapping, side, object, record)
) STRICT;
CREATE INDEX waiting_of_record ON waiting (pair, side, object, record);

-- Where each written value came from.
CREATE TABLE history (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    pair          TEXT NOT NULL,
    at            INTEGER NOT NULL,
    mapping       TEXT NOT NULL,
    side          TEXT NOT NULL,
    object        TEXT NOT NULL,
    record        TEXT NOT NULL,
    target_side   TEXT NOT NULL,
    target_object TEXT NOT NULL,
    target        TEXT NOT NULL,
    created       INTEGER NOT NULL,
    field         TEXT NOT NULL,
    old           TEXT,
    new           TEXT,
    file          TEXT NOT NULL,
    line          INTEGER NOT NULL,
    events        TEXT NOT NULL
) STRICT;
CREATE INDEX history_of_record ON history (pair, side, object, record);
CREATE INDEX history_of_target ON history (pair, target_side, target_object, target);
