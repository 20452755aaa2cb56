SELECT id FROM announcement WHERE agency = :agency AND id < :before ORDER BY id DESC LIMIT :limit
