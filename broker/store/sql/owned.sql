SELECT id FROM announcement WHERE owner = :run AND closed_at IS NULL
