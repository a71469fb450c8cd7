-- The version of the published language in which a log is kept: it is read through the upcasters. Version 2 only added
-- kinds of logs to version 1, so it reads every row that was written until now.
ALTER TABLE chain_logs ADD COLUMN schema_version int NOT NULL DEFAULT 2;
ALTER TABLE chain_logs ALTER COLUMN schema_version DROP DEFAULT;

-- What else the indexer said of the log: an upcaster may need it. Of rows that did not keep it, when we heard it.
ALTER TABLE chain_logs ADD COLUMN seen_at_ms bigint;
UPDATE chain_logs SET seen_at_ms = heard_at_ms;
ALTER TABLE chain_logs ALTER COLUMN seen_at_ms SET NOT NULL;

-- What queries count by is a column of its own, whatever form the log is kept in.
ALTER TABLE chain_logs ADD COLUMN amount_micros bigint;
UPDATE chain_logs SET amount_micros = (log ->> 'amountMicros')::bigint
WHERE name IN ('Deposited', 'Withdrawn', 'EarningsClaimed');
