"""The HTTP probe: a URL is asked as a workload would ask it, on a new connection or on one that is kept.

A check comes in; an observation goes out, with each phase timed and a fault named. Read `http.py` first, then `plan.py`
(what is sent, and which answers are right), `terms.py` (how often a new connection is made) and `tls_sessions.py`.
"""
