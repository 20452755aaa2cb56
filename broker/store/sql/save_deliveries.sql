-- New rows of deliveries; one whose state or attempt differs stays as it is.
WITH new (announcement_id, channel, was, had, role, state, attempt, next_at, live_at, platform_id, cause, data, crc)
  AS (VALUES :rows)
UPDATE delivery
   SET role = new.role, state = new.state, attempt = new.attempt, next_at = new.next_at, live_at = new.live_at,
       platform_id = new.platform_id, cause = new.cause, data = new.data, crc = new.crc
  FROM new
 WHERE delivery.announcement_id = new.announcement_id AND delivery.channel = new.channel
   AND delivery.state = new.was AND delivery.attempt = new.had
