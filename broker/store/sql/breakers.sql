SELECT channel_key, data FROM breaker
