-- Nonces are kept in the key-value store: a request of anybody writes nothing here.
DROP TABLE login_nonces;
