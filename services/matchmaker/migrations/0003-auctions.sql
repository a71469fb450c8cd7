-- Orders that take sealed bids first. What was bid is told to nobody but its bidder before `auction` is there.
ALTER TABLE orders
  ADD COLUMN mode                 text NOT NULL DEFAULT 'instant',
  ADD COLUMN bidding_closes_at_ms bigint,
  -- How the auction ended; null until it has.
  ADD COLUMN auction              jsonb;

-- The bids of an auction as they are now: one for each offer and group of the order.
CREATE TABLE bids (
  bid_id         text   PRIMARY KEY,
  order_id       text   NOT NULL REFERENCES orders,
  group_name     text   NOT NULL,
  provider_id    text   NOT NULL,
  offer_id       text   NOT NULL,
  rate_micros    bigint NOT NULL,
  revision       int    NOT NULL,
  placed_at_ms   bigint NOT NULL,
  valid_until_ms bigint NOT NULL,
  state          text   NOT NULL,
  score          double precision,
  failed         jsonb  NOT NULL,
  lease_id       text
);
CREATE INDEX bids_by_order ON bids (order_id, placed_at_ms DESC, bid_id DESC);
CREATE INDEX bids_by_provider ON bids (provider_id, placed_at_ms DESC, bid_id DESC);
-- Whatever the matchmaker decides: no group of an order has two winners.
CREATE UNIQUE INDEX one_winning_bid ON bids (order_id, group_name) WHERE state = 'won';
CREATE UNIQUE INDEX one_living_lease ON leases (order_id, group_name)
  WHERE state IN ('proposed', 'accepted', 'funded', 'active');
