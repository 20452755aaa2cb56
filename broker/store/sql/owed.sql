SELECT announcement_id
  FROM delivery
 WHERE agency = :agency AND channel = :channel AND state = 'due' AND role = 'post_to'
 ORDER BY accepted_at DESC, announcement_id DESC
