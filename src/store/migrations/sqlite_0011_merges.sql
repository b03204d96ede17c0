-- The record into which an event says that its own was merged; null where it says something else.
ALTER TABLE events ADD COLUMN merged_into TEXT;
UPDATE events SET merged_into = change ->> '$.kind.Merged.into' WHERE state IN ('pending', 'parked');

-- Merges to be settled, few at any time: by the record that survived, and by the lane of the one that did not.
CREATE INDEX events_merging ON events (pair, side, object, merged_into)
    WHERE state = 'pending' AND merged_into IS NOT NULL;
CREATE INDEX events_merged ON events (lane) WHERE state = 'pending' AND merged_into IS NOT NULL;

-- The records to which a row belonged when it was last read: their ids by the row's field, as JSON.
ALTER TABLE seen ADD COLUMN parents TEXT NOT NULL DEFAULT '{}';
-- Of what is old, a row that belongs to another record stays for as long as it lives.
DROP INDEX seen_at;
CREATE INDEX seen_old ON seen (at) WHERE parents = '{}' OR ended IS NOT NULL;
