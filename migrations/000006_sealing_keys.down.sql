-- With its key, whatever a key sealed is lost: every merchant would have to authorize again. Nobody shall do that by the way.
DO $$
BEGIN
    IF EXISTS (SELECT FROM sealing_keys) THEN
        RAISE EXCEPTION 'sealing_keys holds keys without which sealed columns cannot be read'
            USING HINT = 'To give up all that is sealed, delete its rows first.';
    END IF;
END
$$;
DROP TABLE sealing_keys;
