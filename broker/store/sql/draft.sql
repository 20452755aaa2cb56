SELECT draft FROM content WHERE announcement_id = :id
