"""Carries out what the rules decide: dispatcher, actions, attempts, courier, pacer, monitor, lease, inbox, writer."""
