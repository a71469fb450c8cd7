-- The bids on an account's orders are found by an index of their own, newest first, as those of its providers are. Null in what
-- the release before still writes: the end of the auction, before which no tenant sees a bid, writes each of them anew.
ALTER TABLE bids ADD COLUMN account_id text;
UPDATE bids SET account_id = o.account_id FROM orders o WHERE o.order_id = bids.order_id;
CREATE INDEX bids_by_account ON bids (account_id, placed_at_ms DESC);
