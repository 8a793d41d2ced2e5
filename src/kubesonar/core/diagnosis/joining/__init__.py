"""Joins what both ends counted into cells of evidence: trials that cross the same parts of the network.

The snapshots of members come in; cells, by age and by whether they were bad, go out, made only of those pairs that some
suspicion is about. Read `join.py` first; `sieve.py` finds the pairs that are not simply well, `cell_maker.py` counts
their trials, `trains.py` joins both ends of a train by its number.
"""
