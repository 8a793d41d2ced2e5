"""Members watch each other and elect a coordinator, which announces deaths: one pure machine for each member. Messages
of other members, roster changes, results of host probes and time come in; messages, host probes and announcements go
out (`events.py`). Read `instance.py` first, which joins the three machines: `election/`, `swim/` and `announcing/`.
"""
