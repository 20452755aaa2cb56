"""Carries out what the rules decide: dispatcher, pacer, courier, monitor, lease, inbox, writer, vault."""
