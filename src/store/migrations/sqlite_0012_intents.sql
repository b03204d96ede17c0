-- Writes that were about to be sent to a CRM and whose run is not settled: what they would write, and why. `target` is
-- null where the record was to be made; `begun` is null where `events` tell what made the run.
CREATE TABLE intents (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    pair          TEXT NOT NULL,
    at            INTEGER NOT NULL,
    mapping       TEXT NOT NULL,
    ended_by      TEXT NOT NULL,
    side          TEXT NOT NULL,
    object        TEXT NOT NULL,
    record        TEXT NOT NULL,
    target_side   TEXT NOT NULL,
    target_object TEXT NOT NULL,
    target        TEXT,
    key           TEXT,
    fields        TEXT NOT NULL,
    events        TEXT NOT NULL,
    begun         TEXT,
    correlation   INTEGER NOT NULL,
    project       INTEGER
) STRICT;
CREATE INDEX intents_of_record ON intents (pair, side, object, record);
CREATE INDEX intents_of_target ON intents (pair, target_side, target_object, target);
CREATE INDEX intents_at ON intents (at);
CREATE INDEX intents_of_project ON intents (project) WHERE project IS NOT NULL;
