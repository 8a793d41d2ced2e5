"""A small real mesh on one machine: network namespaces, links, servers, and faults on demand.

In: a number of nodes, faults as text, and functions to run as agents and servers. Out: processes in namespaces that
see the planned network. Read `topology` for what is planned, then `world`, which makes it and breaks it.
"""
