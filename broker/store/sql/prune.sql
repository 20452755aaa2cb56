-- The oldest keys first, few at a time, so that nobody waits long.
DELETE FROM idempotency
 WHERE (agency, key) IN (SELECT agency, key FROM idempotency WHERE at < :before ORDER BY at LIMIT 2000)
