SELECT pair, parent, intent_at FROM token WHERE slot = :slot
