-- Texts composed anew.
INSERT OR REPLACE INTO recomposed (announcement_id, channel, composed, crc)
VALUES :rows
