-- A new run, or this one anew.
INSERT OR REPLACE INTO run (id, lease_until, ended_at) VALUES (:run, :lease_until, NULL)
