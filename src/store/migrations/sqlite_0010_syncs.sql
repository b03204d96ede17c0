-- A sync's pair: its two records are never worked on at the same time.
ALTER TABLE links ADD COLUMN sync INTEGER NOT NULL DEFAULT 0;
UPDATE links SET sync = 1 WHERE met IS NOT NULL OR target_met IS NOT NULL OR synced <> '{}';

-- Nothing looks for events by their id of correlation.
DROP INDEX events_of_correlation;
