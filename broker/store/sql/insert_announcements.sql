-- New announcements.
INSERT INTO announcement (id, agency, reference, external_id, accepted_at, status, closed_at, wake_at, data, crc,
                          owner, epoch)
VALUES :rows
