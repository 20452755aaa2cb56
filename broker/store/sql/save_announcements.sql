-- New rows of announcements; one whose owner or epoch differs stays as it is.
WITH new (id, owner, epoch, status, closed_at, wake_at, data, crc) AS (VALUES :rows)
UPDATE announcement
   SET status = new.status, closed_at = new.closed_at, wake_at = new.wake_at, data = new.data, crc = new.crc
  FROM new
 WHERE announcement.id = new.id AND announcement.owner = new.owner AND announcement.epoch = new.epoch
