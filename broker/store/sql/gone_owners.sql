-- Owners of open announcements that are no living runs, found by skipping through the index: also such as are forgotten.
WITH RECURSIVE holder (id) AS (
    SELECT min(owner) FROM announcement WHERE closed_at IS NULL
     UNION ALL
    SELECT (SELECT min(owner) FROM announcement WHERE closed_at IS NULL AND owner > holder.id)
      FROM holder
     WHERE holder.id IS NOT NULL
)
SELECT id FROM holder
 WHERE id IS NOT NULL AND id NOT IN (SELECT run.id FROM run WHERE run.ended_at IS NULL)
