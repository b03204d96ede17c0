-- Refresh tokens of logins, encrypted. What they are for is in the clear and bound to the cipher text; `login` tells one
-- login from the next, `revision` one token of a login from the one that replaced it.
CREATE TABLE accounts (
    pair       TEXT NOT NULL,
    side       TEXT NOT NULL,
    purpose    TEXT NOT NULL,
    key        TEXT NOT NULL,
    nonce      BLOB NOT NULL,
    sealed     BLOB NOT NULL,
    about      TEXT NOT NULL,
    login      INTEGER NOT NULL,
    revision   INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    busy_by    TEXT,
    busy_until INTEGER,
    PRIMARY KEY (pair, side, purpose)
) STRICT, WITHOUT ROWID;
