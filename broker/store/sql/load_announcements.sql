SELECT a.id, a.agency, a.reference, a.external_id, a.accepted_at, a.status, a.closed_at, a.wake_at, a.data, a.crc,
       a.owner, a.epoch, c.draft, c.plan, c.composed, c.crc
  FROM json_each(:ids) AS wanted
  JOIN announcement AS a ON a.id = wanted.value
  JOIN content AS c ON c.announcement_id = a.id
