-- What is to be asked about, by channel: asked soon when the channel answers again.
CREATE INDEX delivery_in_question ON delivery (agency, channel, announcement_id, state)
    WHERE state IN ('pending', 'checking');
