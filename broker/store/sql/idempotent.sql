SELECT announcement_id, digest FROM idempotency WHERE agency = :agency AND key = :key AND at > :since
