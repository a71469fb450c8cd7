-- How far each consumer group of this service has taken each key: written in the transaction of the effect.
CREATE TABLE bus_inbox (
  consumer text NOT NULL,
  topic text NOT NULL,
  key text NOT NULL,
  sequence bigint NOT NULL CHECK (sequence > 0),
  PRIMARY KEY (consumer, topic, key)
) WITH (fillfactor = 70);
