SELECT id FROM announcement WHERE agency = :agency AND reference = :reference
