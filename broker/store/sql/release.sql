-- These are free again; the epoch stays.
UPDATE announcement SET owner = NULL WHERE id IN (SELECT value FROM json_each(:ids)) AND owner = :run
