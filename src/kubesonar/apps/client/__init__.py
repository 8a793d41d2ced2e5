"""Commands that ask agents or a collector and print what they say: check, map, explain and history.

Arguments come in; a verdict, a map or a list, as text or JSON, and an exit code go out. Read `check.py` first, then
`asking.py` (arguments that all share) and `gather.py` (how all agents are asked at once).
"""
