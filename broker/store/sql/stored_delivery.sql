-- In the order of the rows of save_deliveries.
SELECT role, state, attempt, next_at, live_at, platform_id, cause, data, crc
  FROM delivery
 WHERE announcement_id = :announcement_id AND channel = :channel
