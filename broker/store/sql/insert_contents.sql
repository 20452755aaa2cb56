-- What was handed in, once and for all.
INSERT INTO content (announcement_id, draft, plan, composed, crc)
VALUES :rows
