-- The relay reads all events in order and steps over the private ones: an index of the public ones cost each of them more.
DROP INDEX events_outbox;
