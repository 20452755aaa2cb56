-- New events; a number that is taken breaks the primary key.
INSERT INTO event (announcement_id, n, at, kind, channel, data)
VALUES :rows
