-- The keys that seal the columns named *_sealed, each sealed itself under a master key, which is never here. Without a row
-- the master key seals. Of several the one with the highest seq seals; the others are for reading.
CREATE TABLE sealing_keys (
    -- The id that everything sealed with the key begins with, see package secret.
    key_id     bigint      PRIMARY KEY CONSTRAINT sealing_keys_key_id_range CHECK (key_id BETWEEN 1 AND 4294967295),
    -- Which key is newer is told without a clock.
    seq        bigint      NOT NULL GENERATED ALWAYS AS IDENTITY CONSTRAINT sealing_keys_seq_unique UNIQUE,
    wrapped    bytea       NOT NULL CONSTRAINT sealing_keys_wrapped_length CHECK (octet_length(wrapped) = 65),
    created_at timestamptz NOT NULL,
    created_by text        NOT NULL
);
