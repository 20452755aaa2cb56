-- What names an owner nobody knows, since that name is damaged, would be nobody's for ever.
UPDATE announcement
   SET owner = NULL
 WHERE closed_at IS NULL AND owner IS NOT NULL AND owner NOT IN (SELECT id FROM run)
