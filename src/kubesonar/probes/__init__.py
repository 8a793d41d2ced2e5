"""One file a kind: turns what net/ returns into Observations."""
