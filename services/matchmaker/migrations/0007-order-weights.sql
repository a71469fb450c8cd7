-- By what an order's offers are weighed: the profile, weights of the tenant's own in its place, and the class of work.
ALTER TABLE orders
  ADD COLUMN profile        text NOT NULL DEFAULT 'balanced',
  ADD COLUMN weights        jsonb,
  ADD COLUMN workload_class text NOT NULL DEFAULT 'general';
UPDATE orders SET profile = submitted.data->>'profile'
FROM events AS submitted
WHERE submitted.stream_id = orders.order_id AND submitted.type = 'OrderSubmitted';
