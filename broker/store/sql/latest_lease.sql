-- How far ahead any other run's lease lay, by the clock that run had; none yet: 0.
SELECT coalesce(max(lease_until), 0) FROM run WHERE id <> :run
