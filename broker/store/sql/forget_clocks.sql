-- Ended runs whose clock was ahead of ours, and which own nothing (any more) that may be out.
UPDATE run SET lease_until = :now
 WHERE ended_at IS NOT NULL AND lease_until > :now
   AND NOT EXISTS (SELECT 1
                     FROM announcement AS a
                    CROSS JOIN delivery AS d ON d.announcement_id = a.id
                    WHERE a.owner = run.id AND a.closed_at IS NULL AND d.state IN ('sending', 'checking'))
