-- Its announcements are free from now on.
UPDATE run SET ended_at = :now, lease_until = :now WHERE id = :run AND ended_at IS NULL
