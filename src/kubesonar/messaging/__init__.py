"""The shell of membership: its messages travel as signed datagrams between the ports that answer probes, its host
probes go over the network. Datagrams, rosters and events of the agent come in; datagrams and what membership announces
go out. Read `shell.py` first.
"""
