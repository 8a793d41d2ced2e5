"""The checks of a round: what is requested, through which proxy, over which connection, trusting which CAs.

In: settings, the neighbours of a round, and the environment's proxy variables. Out: coroutines that each make one
check. Read `targets` first.
"""
