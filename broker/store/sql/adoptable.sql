-- Which of these no living run owns.
SELECT id
  FROM announcement
 WHERE id IN (SELECT value FROM json_each(:ids))
   AND NOT EXISTS (SELECT 1 FROM run WHERE run.id = announcement.owner AND ended_at IS NULL)
