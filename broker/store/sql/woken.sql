-- Open announcements of this run whose time has come; those without a time are none.
SELECT id
  FROM announcement
 WHERE owner = :run AND closed_at IS NULL AND coalesce(wake_at, 0) > 0 AND coalesce(wake_at, 0) <= :now
 ORDER BY coalesce(wake_at, 0)
 LIMIT :limit
