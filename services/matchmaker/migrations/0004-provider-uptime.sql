-- Share of challenges that a provider answered lately; null before its first era has closed. Part of its reliability.
ALTER TABLE providers ADD COLUMN uptime double precision;
