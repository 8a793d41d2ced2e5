"""Virtual time for the machines of core/, and a virtual cluster of members in it. Pure: a seed replays a run.

Commands of a scenario come in (docs/simulate.md lists them); a transcript and the complaints of oracles go out. Read
`driver.py` first, which drives machines; then `world.py`, the cluster, and `playing.py`, which plays a scenario.
"""
