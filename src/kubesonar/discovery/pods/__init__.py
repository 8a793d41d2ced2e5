"""Pods, and the nodes they run on, as members: who is expected to answer, and who is excused and why.

Pods and nodes as the Kubernetes API lists them come in; members, each with a state and a reason, go out. No clock is
read and nothing is asked: read `members.py` first, then `member_state.py`, which holds the table of states.
"""
