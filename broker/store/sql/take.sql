-- These belong to this run from now on.
UPDATE announcement SET owner = :run, epoch = epoch + 1 WHERE id IN (SELECT value FROM json_each(:ids))
