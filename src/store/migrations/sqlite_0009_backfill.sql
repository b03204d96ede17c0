-- How far the load of an object through a mapping has come, as JSON; `side` is that of the source records.
CREATE TABLE backfills (
    pair       TEXT NOT NULL,
    mapping    TEXT NOT NULL,
    side       TEXT NOT NULL,
    progress   TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (pair, mapping, side)
) STRICT;

-- The records of it that a person must look at, as JSON, in the order in which they came.
CREATE TABLE backfill_refused (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    pair    TEXT NOT NULL,
    mapping TEXT NOT NULL,
    side    TEXT NOT NULL,
    row     TEXT NOT NULL
) STRICT;
CREATE INDEX backfill_refused_of ON backfill_refused (pair, mapping, side, id);
