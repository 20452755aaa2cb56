-- Ended runs that own nothing open, but for those that show that the clock was set back.
DELETE FROM run
 WHERE ended_at IS NOT NULL AND lease_until <= :now
   AND NOT EXISTS (SELECT 1 FROM announcement WHERE owner = run.id AND closed_at IS NULL)
