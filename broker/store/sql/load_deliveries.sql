SELECT d.announcement_id, d.channel, d.agency, d.urgent, d.accepted_at, d.role, d.state, d.attempt, d.next_at,
       d.live_at, d.platform_id, d.cause, d.data, d.crc, r.composed, r.crc
  FROM json_each(:ids) AS wanted
  JOIN delivery AS d ON d.announcement_id = wanted.value
  LEFT JOIN recomposed AS r ON r.announcement_id = d.announcement_id AND r.channel = d.channel
