-- How far the changes of each object have been read, in the vendor's own terms.
CREATE TABLE watermarks (
    pair       TEXT NOT NULL,
    side       TEXT NOT NULL,
    object     TEXT NOT NULL,
    position   TEXT NOT NULL,
    read_to    INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (pair, side, object)
) STRICT;

-- Each record as it was last read: digests of the fields that triggers read, and its end as JSON (null while it lives).
CREATE TABLE seen (
    pair     TEXT NOT NULL,
    side     TEXT NOT NULL,
    object   TEXT NOT NULL,
    record   TEXT NOT NULL,
    at       INTEGER NOT NULL,
    fields   TEXT NOT NULL,
    ended    TEXT,
    revision INTEGER NOT NULL,
    PRIMARY KEY (pair, side, object, record)
) STRICT, WITHOUT ROWID;
