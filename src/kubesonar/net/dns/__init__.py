"""DNS in both roles: questions put to one server under test, and names looked up for our own use.

In: a message and a server, or a name. Out: a `DnsReply` with the bytes of the answer or a fault, or the addresses of
the name. Read `transport.py` first; `udp.py` and `tcp.py` ask a server, `system_resolver.py` looks names up.
"""
