"""The programs: each puts the rooms below together and decides nothing itself.

Arguments, a configuration and signals come in; a running agent, a printed verdict or a page, and an exit code go out.
Read `agent/agent.py` first, then `client/check.py`.
"""
