-- The pairs that records wait for: a mapping of one record is asked for again once such a pair is settled.
CREATE TABLE awaited (
    pair      TEXT NOT NULL,
    mapping   TEXT NOT NULL,
    side      TEXT NOT NULL,
    object    TEXT NOT NULL,
    record    TEXT NOT NULL,
    of_side   TEXT NOT NULL,
    of_object TEXT NOT NULL,
    of_record TEXT NOT NULL,
    to_object TEXT NOT NULL,
    PRIMARY KEY (pair, mapping, side, object, record, of_side, of_object, of_record, to_object)
) STRICT;
CREATE INDEX awaited_of ON awaited (pair, of_side, of_object, of_record);
CREATE INDEX awaited_by ON awaited (pair, side, object, record);
