-- One id follows a record from its event to each write and parking; 0 stands for none.
ALTER TABLE events ADD COLUMN correlation INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lanes ADD COLUMN correlation INTEGER NOT NULL DEFAULT 0;
ALTER TABLE parked ADD COLUMN correlation INTEGER NOT NULL DEFAULT 0;
UPDATE lanes SET correlation = id;
-- Lanes opened in a transaction get their id at its end, from what opened them.
CREATE INDEX lanes_without_correlation ON lanes (id) WHERE correlation = 0;
-- The version of the project that whoever holds the lease works with.
ALTER TABLE lanes ADD COLUMN project INTEGER;
ALTER TABLE parked ADD COLUMN project INTEGER;
CREATE INDEX events_of_correlation ON events (correlation) WHERE correlation <> 0;

-- The versions of the project, and their mappings as they were. Equal files of several versions are kept once.
CREATE TABLE projects (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    fingerprint TEXT NOT NULL,
    revision    TEXT NOT NULL,
    since       INTEGER NOT NULL,
    UNIQUE (fingerprint, revision)
) STRICT;
CREATE TABLE project_files (
    project INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    file    TEXT NOT NULL,
    digest  TEXT NOT NULL,
    PRIMARY KEY (project, file)
) STRICT;
CREATE TABLE project_texts (
    digest TEXT PRIMARY KEY,
    text   TEXT NOT NULL
) STRICT;

-- What mappings came to: one row for each run that wrote or parked, and the latest of each other kind.
CREATE TABLE runs (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    pair          TEXT NOT NULL,
    at            INTEGER NOT NULL,
    mapping       TEXT NOT NULL,
    side          TEXT NOT NULL,
    object        TEXT NOT NULL,
    record        TEXT NOT NULL,
    target_side   TEXT,
    target_object TEXT,
    target        TEXT,
    result        TEXT NOT NULL,
    reason        TEXT,
    file          TEXT,
    line          INTEGER,
    begun         TEXT NOT NULL,
    correlation   INTEGER NOT NULL,
    project       INTEGER
) STRICT;
CREATE INDEX runs_of_record ON runs (pair, side, object, record, mapping);
CREATE INDEX runs_at ON runs (at);
CREATE INDEX runs_of_project ON runs (project) WHERE project IS NOT NULL;
CREATE INDEX runs_of_target ON runs (pair, target_side, target_object, target);
ALTER TABLE history ADD COLUMN run INTEGER;
CREATE INDEX history_of_run ON history (run) WHERE run IS NOT NULL;

-- Fields that a rule spoke about and left as they are: the latest reason of each mapping.
CREATE TABLE kept (
    pair          TEXT NOT NULL,
    at            INTEGER NOT NULL,
    mapping       TEXT NOT NULL,
    side          TEXT NOT NULL,
    object        TEXT NOT NULL,
    record        TEXT NOT NULL,
    target_side   TEXT NOT NULL,
    target_object TEXT NOT NULL,
    target        TEXT NOT NULL,
    field         TEXT NOT NULL,
    value         TEXT,
    why           TEXT NOT NULL,
    file          TEXT NOT NULL,
    line          INTEGER NOT NULL,
    run           INTEGER,
    PRIMARY KEY (pair, target_side, target_object, target, field, mapping)
) STRICT;
CREATE INDEX kept_at ON kept (at);
CREATE INDEX kept_of_record ON kept (pair, side, object, record);
