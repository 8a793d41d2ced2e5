"""PURE: what decides and computes. No clock, no sockets, no dice of its own: time and randomness come in."""
