-- A key older than its memory may be used anew.
DELETE FROM idempotency WHERE agency = :agency AND key = :key AND at <= :until
