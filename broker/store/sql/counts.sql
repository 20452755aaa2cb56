-- Deliveries of open announcements that time may still move. The join's order is fixed: history is long, what is open short.
SELECT d.agency, d.channel, d.state, d.cause, count(*)
  FROM announcement AS a INDEXED BY announcement_open
 CROSS JOIN delivery AS d ON d.announcement_id = a.id
 WHERE a.closed_at IS NULL AND d.state IN ('standby', 'due', 'sending', 'pending', 'checking')
 GROUP BY 1, 2, 3, 4
