-- Answered from the index alone, in its order.
SELECT announcement_id
  FROM delivery
 WHERE agency = :agency AND channel = :channel AND state IN ('pending', 'checking') AND announcement_id > :after
 ORDER BY announcement_id
 LIMIT :limit
