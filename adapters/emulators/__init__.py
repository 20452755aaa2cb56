"""Emulators: platforms on loopback, with faults on demand. `base` shows how one is written and used."""
