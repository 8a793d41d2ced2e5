"""The virtual network of the lab.

In: the plan (lab/topology.py), open namespaces, and faults. Out: a bridge, links, addresses and routes in the kernel,
and rules that drop or delay packets. Read `links` first, then `firewall` and `shaper`.
"""
