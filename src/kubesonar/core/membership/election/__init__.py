"""The election of the coordinator (bully, with a leader lease from a majority): `election.py` is the machine, to be
read first. Messages, roster changes and time come in; heartbeats, elections and step-downs go out. Nothing here knows
of deaths: that a coordinator is lost comes in as an event.
"""
