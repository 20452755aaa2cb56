-- All earlier runs are over: the lock of the file proves it.
UPDATE run SET ended_at = :now WHERE ended_at IS NULL AND id <> :run
