"""Ping: ICMP echo of both families by the kernel's stamps.

In: an IP address and a deadline. Out: an `EchoResult`, a round trip or a fault. Read `pinger.py` first;
`echo_socket.py` hides the two kinds of sockets, `packet.py` is the codec.
"""
