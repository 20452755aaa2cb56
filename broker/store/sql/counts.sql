-- Deliveries of open announcements that time may still move.
SELECT d.agency, d.channel, d.state, d.cause, count(*)
  FROM announcement AS a
  JOIN delivery AS d ON d.announcement_id = a.id
 WHERE a.closed_at IS NULL AND d.state IN ('standby', 'due', 'sending', 'pending', 'checking')
 GROUP BY 1, 2, 3, 4
