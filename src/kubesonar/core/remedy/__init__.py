"""PURE: decides which DNS pod is restarted, and when: what a round of questions found comes in, decisions go out.

Nothing here acts: `doctor/repair` carries the decisions out, `sim/` plays them against virtual clusters. Read
`remedy.py` first.
"""
