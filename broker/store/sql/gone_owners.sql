-- Other owners of open announcements that are no living runs, found by skipping through the index: also forgotten ones.
-- With the end of their lease, by the clock they had.
WITH RECURSIVE holder (id) AS (
    SELECT min(owner) FROM announcement WHERE closed_at IS NULL
     UNION ALL
    SELECT (SELECT min(owner) FROM announcement WHERE closed_at IS NULL AND owner > holder.id)
      FROM holder
     WHERE holder.id IS NOT NULL
)
SELECT holder.id, coalesce(run.lease_until, 0)
  FROM holder LEFT JOIN run ON run.id = holder.id
 WHERE holder.id IS NOT NULL AND holder.id <> :run AND (run.id IS NULL OR run.ended_at IS NOT NULL)
