-- What is known of channels.
INSERT OR REPLACE INTO breaker (channel_key, data)
VALUES :rows
