-- `save_announcements` for one row: a table of new values costs as much again.
UPDATE announcement
   SET status = ?4, closed_at = ?5, wake_at = ?6, data = ?7, crc = ?8
 WHERE id = ?1 AND owner = ?2 AND epoch = ?3
