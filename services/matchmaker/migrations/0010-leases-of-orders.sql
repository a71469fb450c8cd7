-- Orders and leases are what their events make of them, written with those in one transaction, orders first. That a lease has
-- its order follows from that; to look it up and lock it again cost more than to put the lease in.
ALTER TABLE leases DROP CONSTRAINT leases_order_id_fkey;
