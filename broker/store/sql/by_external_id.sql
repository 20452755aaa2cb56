SELECT id FROM announcement WHERE agency = :agency AND external_id = :id
