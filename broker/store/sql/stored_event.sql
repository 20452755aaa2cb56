-- In the order of the rows of insert_events.
SELECT at, kind, channel, data FROM event WHERE announcement_id = :announcement_id AND n = :n
