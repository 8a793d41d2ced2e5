"""Runs checks: one file for each kind turns what `net/` returns into observations, and `loop.py` runs what is due.

Checks come in; an observation of each goes out by its deadline, whatever the network does. Read `source.py` first,
then `tcp.py` (the simplest kind) and `loop.py`.
"""
