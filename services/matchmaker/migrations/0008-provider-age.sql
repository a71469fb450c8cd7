-- How many eras have closed since a provider registered: how long it has been known. Part of its reliability. What the
-- journal still has of the past counts; where it began later, so does the count.
ALTER TABLE providers ADD COLUMN eras_closed int NOT NULL DEFAULT 0;
UPDATE providers SET eras_closed = heard.eras
FROM (
  SELECT key, count(DISTINCT (topic, sequence)) AS eras
  FROM bus_journal WHERE type = 'EraClosed' GROUP BY key
) AS heard
WHERE heard.key = providers.provider_id;
