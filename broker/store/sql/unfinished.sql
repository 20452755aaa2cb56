-- Open announcements of one agency up to a moment, whoever owns them. Walks its history: asked once after a restore.
SELECT id
  FROM announcement
 WHERE agency = :agency AND closed_at IS NULL AND accepted_at <= :until
 ORDER BY id
