"""Loa, the communication resilience broker: its public names."""
