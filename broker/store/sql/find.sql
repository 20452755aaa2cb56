SELECT id, 1 AS rank FROM announcement WHERE id = :any_id AND agency = :agency
UNION ALL
SELECT id, 2 FROM announcement WHERE agency = :agency AND reference = :any_id
UNION ALL
SELECT id, 3 FROM announcement WHERE agency = :agency AND external_id = :any_id
 ORDER BY rank
 LIMIT 1
