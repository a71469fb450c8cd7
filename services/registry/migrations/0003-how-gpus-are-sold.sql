-- Offers of before sold whole GPUs, and nobody had said what network there is.
ALTER TABLE offers ADD COLUMN interconnect text NOT NULL DEFAULT 'ethernet';
UPDATE offers SET gpu = gpu || '{"sharing": {"mode": "whole"}}' WHERE gpu IS NOT NULL AND NOT gpu ? 'sharing';
