-- Until now every offer sold whole GPUs, and nothing was said of the network between its machines: the slowest is supposed.
UPDATE offers
SET body = CASE
    WHEN jsonb_typeof(body -> 'gpu') = 'object'
      THEN jsonb_set(body, '{gpu}', '{"sharing": {"mode": "whole"}}'::jsonb || (body -> 'gpu'))
    ELSE body
  END || '{"interconnect": "ethernet"}'::jsonb
WHERE NOT body ? 'interconnect';

-- What each GPU of the lease is, as its offer said when it was agreed; null for machines without, and where it is not known.
ALTER TABLE leases ADD COLUMN gpu jsonb;
