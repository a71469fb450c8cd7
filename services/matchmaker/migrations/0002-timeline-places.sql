-- The place of an item is decided with the item and stored with the event that it tells of, so that the timeline can be
-- made anew from events and journal: (epoch of the writer) << 40 | (count of the items since it started). Places that the
-- database counted until now are lower than all of those.
ALTER TABLE timeline ALTER COLUMN id DROP IDENTITY;
