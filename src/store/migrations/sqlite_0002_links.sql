-- What a link remembers of the ends of its records, and of a sync's values.
ALTER TABLE links ADD COLUMN source_gone INTEGER NOT NULL DEFAULT 0;
ALTER TABLE links ADD COLUMN merged_into TEXT;
ALTER TABLE links ADD COLUMN inherited INTEGER NOT NULL DEFAULT 0;
ALTER TABLE links ADD COLUMN synced TEXT NOT NULL DEFAULT '{}';

-- A mapping can be asked for because a paired record ended: the cause, as JSON; empty where it is merely asked for.
CREATE TABLE requests_with_cause (
    lane    INTEGER NOT NULL REFERENCES lanes (id) ON DELETE CASCADE,
    mapping TEXT NOT NULL,
    cause   TEXT NOT NULL DEFAULT '',
    fence   INTEGER,
    PRIMARY KEY (lane, mapping, cause)
) STRICT;
INSERT INTO requests_with_cause (lane, mapping, fence) SELECT lane, mapping, fence FROM requests;
DROP TABLE requests;
ALTER TABLE requests_with_cause RENAME TO requests;
