SELECT data FROM setting WHERE key = :key
