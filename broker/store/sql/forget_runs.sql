-- Ended runs that own nothing open.
DELETE FROM run
 WHERE ended_at IS NOT NULL
   AND NOT EXISTS (SELECT 1 FROM announcement WHERE owner = run.id AND closed_at IS NULL)
