SELECT platform_id
  FROM delivery
 WHERE agency = :agency AND channel = :channel AND state = 'live' AND platform_id IS NOT NULL
   AND live_at >= :since AND announcement_id <> :not_id
 ORDER BY live_at DESC
 LIMIT 1
