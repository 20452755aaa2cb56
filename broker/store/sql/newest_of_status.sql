SELECT id FROM announcement
 WHERE agency = :agency AND status = :status AND id < :before
 ORDER BY id DESC
 LIMIT :limit
