-- Read from its head; an entry leaves the table when it is settled.
SELECT inbox.id, inbox.announcement_id, channel, attempt, kind, payload
  FROM inbox
 CROSS JOIN announcement AS a ON a.id = inbox.announcement_id
 WHERE inbox.id > 0 AND (a.owner = :run OR a.closed_at IS NOT NULL)
 ORDER BY inbox.id
 LIMIT :limit
