-- Answered from the index alone, in its order.
SELECT announcement_id, channel, urgent, accepted_at
  FROM delivery
 WHERE agency = :agency AND channel = :channel AND state = 'due' AND (next_at IS NULL OR next_at <= :now)
 ORDER BY urgent DESC, accepted_at, announcement_id
 LIMIT :limit
