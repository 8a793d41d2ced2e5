"""KNH's bully election, and how its coordinator finds dead peers: a machine without clock and network.

Events (calls of other pods, answers to our calls, ticks) come in; actions (calls, webhooks) go out. Read `events.py`
first, then `bully.py`, the machine, and `peer_state.py`, which keeps what is known of each peer.
"""
