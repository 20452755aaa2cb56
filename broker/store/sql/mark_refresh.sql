-- One refresher at a time: another's intent stands until it is older than `stale`.
UPDATE token SET intent_at = :at
 WHERE slot = :slot AND fingerprint = :parent AND (intent_at IS NULL OR intent_at <= :stale)
