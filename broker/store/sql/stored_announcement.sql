-- In the order of the rows of save_announcements.
SELECT owner, epoch, status, closed_at, wake_at, data, crc FROM announcement WHERE id = :id
