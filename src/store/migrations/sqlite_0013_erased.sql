-- Records that were erased: their ids and nothing more, so that what is told of one later is kept without its values, and
-- what was read of one before is not written.
CREATE TABLE erased (
    pair   TEXT NOT NULL,
    side   TEXT NOT NULL,
    object TEXT NOT NULL,
    record TEXT NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (pair, side, object, record)
) STRICT, WITHOUT ROWID;
CREATE INDEX erased_at ON erased (at);

-- Records that were merged into another, for as long as that one is not erased: their data is a person's, too.
CREATE TABLE merged (
    pair     TEXT NOT NULL,
    side     TEXT NOT NULL,
    object   TEXT NOT NULL,
    record   TEXT NOT NULL,
    survivor TEXT NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (pair, side, object, record)
) STRICT, WITHOUT ROWID;
CREATE INDEX merged_into ON merged (pair, side, object, survivor);
INSERT OR REPLACE INTO merged
    SELECT pair, side, object, record, change ->> '$.kind.Merged.into', received_at FROM events
    WHERE change ->> '$.kind.Merged.into' IS NOT NULL ORDER BY occurred_at, id;

-- Erasures to be carried out, which no pause holds up.
CREATE INDEX events_erasing ON events (lane) WHERE state = 'pending' AND change ->> '$.kind' = 'PrivacyDeletion';

-- A configured token and what replaces it have a row of their own, so that another token, a mistyped one perhaps, takes
-- nothing away.
CREATE TABLE accounts_by_seed (
    pair       TEXT NOT NULL,
    side       TEXT NOT NULL,
    purpose    TEXT NOT NULL,
    seed       TEXT NOT NULL,
    key        TEXT NOT NULL,
    nonce      BLOB NOT NULL,
    sealed     BLOB NOT NULL,
    about      TEXT NOT NULL,
    login      INTEGER NOT NULL,
    revision   INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    busy_by    TEXT,
    busy_until INTEGER,
    PRIMARY KEY (pair, side, purpose, seed)
) STRICT, WITHOUT ROWID;
INSERT INTO accounts_by_seed
    SELECT pair, side, purpose, iif(purpose = 'replacement' AND json_valid(about), about ->> '$.replaces', ''),
           key, nonce, sealed, about, login, revision, updated_at, busy_by, busy_until FROM accounts;
DROP TABLE accounts;
ALTER TABLE accounts_by_seed RENAME TO accounts;
