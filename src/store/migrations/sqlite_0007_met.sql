-- An event of our own token: digests of the record's fields as the event shows them, as JSON; null where somebody else
-- made the change.
ALTER TABLE events ADD COLUMN own TEXT;

-- How a sync's last run left both records of a pair: digests of the fields that it read or wrote, as JSON; null where no
-- run has settled the pair since something else happened to it.
ALTER TABLE links ADD COLUMN met TEXT;
ALTER TABLE links ADD COLUMN target_met TEXT;

-- Links are looked for by either record, without the mapping's name.
CREATE INDEX links_of_source ON links (pair, side, object, record);

-- What is old is looked for by its age.
CREATE INDEX events_settled ON events (settled_at) WHERE settled_at IS NOT NULL;
CREATE INDEX events_ignored ON events (received_at) WHERE state = 'ignored';
CREATE INDEX history_at ON history (at);
CREATE INDEX parked_closed ON parked (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX seen_at ON seen (at);
