-- Small named facts.
INSERT OR REPLACE INTO setting (key, data)
VALUES :rows
