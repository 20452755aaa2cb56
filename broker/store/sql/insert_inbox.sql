-- What somebody tells the owners.
INSERT INTO inbox (announcement_id, channel, attempt, kind, payload)
VALUES :rows
