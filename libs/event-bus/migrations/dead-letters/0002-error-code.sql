-- What went wrong, for programs: `unknown_event`, `event_not_decodable`, the code of a domain error. Null where the
-- error had none, and for letters from before this column.
ALTER TABLE bus_dead_letters ADD COLUMN IF NOT EXISTS error_code text;
