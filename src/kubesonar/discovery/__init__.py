"""Sources of members, and of the Services that an agent finds in its cluster.

In: a members file, a headless Service in DNS, or pods, nodes and Services of the Kubernetes API. Out: a `Roster`
whenever it changes, with what is out of date and what is missing said in it, and a `ServicesUpdate` for the DNS Service
and the agents' own. Read `kubernetes.py` first, then `pods/`, which turns pods into members.
"""
