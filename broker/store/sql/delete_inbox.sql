-- Entries a decision has settled.
DELETE FROM inbox WHERE id IN (VALUES :rows)
