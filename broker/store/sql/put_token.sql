-- Compare and set; the same pair once more is no change but a lost acknowledgement.
INSERT INTO token (slot, fingerprint, parent, intent_at, pair)
VALUES (:slot, :fingerprint, :parent, :intent_at, :pair)
    ON CONFLICT (slot) DO UPDATE
   SET fingerprint = excluded.fingerprint, parent = excluded.parent, intent_at = excluded.intent_at,
       pair = excluded.pair
 WHERE token.fingerprint = :guard OR token.pair = excluded.pair
