"""The pods that this pod checks.

In: pods and nodes as the API server lists them. Out: this pod, its node, and the neighbours in their order on the hash
ring. Read `selection` (pure) first, then `discovery`, which follows the API server.
"""
