-- `save_deliveries` for one row: a table of new values costs as much again.
UPDATE delivery
   SET role = ?5, state = ?6, attempt = ?7, next_at = ?8, live_at = ?9, platform_id = ?10, cause = ?11, data = ?12,
       crc = ?13
 WHERE announcement_id = ?1 AND channel = ?2 AND state = ?3 AND attempt = ?4
