"""Several collectors as one: one leads, the others hold what it has kept, and one of them goes on where it ended.

In: an election (a Lease, or a record in a shared store), and what the leader keeps. Out: whether this replica leads,
and the same incidents on every replica. Read `leadership.py` first, then `journal.py`; `peers.py` is the leader's side
and `follower.py` the others'.
"""
