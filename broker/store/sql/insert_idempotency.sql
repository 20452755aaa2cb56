-- Callers' keys; a key that is remembered breaks the primary key.
INSERT INTO idempotency (agency, key, digest, announcement_id, at)
VALUES :rows
