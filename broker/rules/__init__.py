"""Pure decisions: no I/O, no clock, no randomness. Each module names the table it implements."""
