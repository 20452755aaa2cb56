"""The broker: takes an announcement once and puts it in front of people on several platforms."""
