"""Diagnosis: from what members observed to the parts of the network that are sick, each in one sentence. Pure.

The snapshots of members come in; findings, a verdict and what changed since the last look go out. Read `findings.py`
first; `joining/` brings both ends of a train together, `parts/` is the table of what can be sick, `inference/` says
what each part would explain, and `localization/` chooses among them.
"""
