-- These belong to this run from now on, if it is not over itself.
UPDATE announcement SET owner = :run, epoch = epoch + 1
 WHERE id IN (SELECT value FROM json_each(:ids))
   AND EXISTS (SELECT 1 FROM run WHERE run.id = :run AND run.ended_at IS NULL)
