-- New deliveries.
INSERT INTO delivery (announcement_id, channel, agency, urgent, accepted_at, role, state, attempt, next_at, live_at,
                      platform_id, cause, data, crc)
VALUES :rows
