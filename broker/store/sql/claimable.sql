-- Open announcements of one owner (or of none) that are worth holding, those that wake first coming first.
SELECT coalesce(wake_at, 0), id
  FROM announcement
 WHERE owner IS :owner AND closed_at IS NULL AND coalesce(wake_at, 0) <= :until
 ORDER BY coalesce(wake_at, 0)
 LIMIT :limit
