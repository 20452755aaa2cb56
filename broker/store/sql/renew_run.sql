-- No row is touched if the run was ended.
UPDATE run SET lease_until = :lease_until WHERE id = :run AND ended_at IS NULL
