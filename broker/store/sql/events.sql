SELECT n, at, kind, channel, data
  FROM event
 WHERE announcement_id = :announcement_id AND n > :after
 ORDER BY n
 LIMIT :limit
