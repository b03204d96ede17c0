-- An event of our own token: digests of the record's fields as the event shows them, as JSON; null where somebody else
-- made the change.
ALTER TABLE events ADD COLUMN own TEXT;

-- How a sync's last run left both records of a pair: digests of the fields that it read or wrote, as JSON; null where no
-- run has settled the pair since something else happened to it.
ALTER TABLE links ADD COLUMN met TEXT;
ALTER TABLE links ADD COLUMN target_met TEXT;

-- Links are looked for by either record, without the mapping's name.
CREATE INDEX links_of_source ON links (pair, side, object, record);
