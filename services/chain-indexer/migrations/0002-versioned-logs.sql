-- The version of the published language in which a log is kept: it is read through the upcasters. Version 2 only added
-- kinds of logs to version 1, so it reads every row that was written until now.
ALTER TABLE chain_logs ADD COLUMN schema_version int NOT NULL DEFAULT 2;
ALTER TABLE chain_logs ALTER COLUMN schema_version DROP DEFAULT;
