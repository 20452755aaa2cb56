-- A limit of -1 is none.
SELECT announcement_id, accepted_at
  FROM delivery
 WHERE agency = :agency AND channel = :channel AND state = 'due' AND role = 'post_to'
 ORDER BY accepted_at DESC, announcement_id DESC
 LIMIT :limit
