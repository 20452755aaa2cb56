-- Facts that hold no longer.
DELETE FROM setting WHERE key IN (VALUES :rows)
