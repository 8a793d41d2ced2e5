"""TCP and Unix streams, with TLS and the kernel's facts about them.

In: an IP address and port (or a Unix path), bytes and a deadline. Out: bytes, or `Failed` with the fault and its
detail. Read `stream.py` first; `dialer.py` chooses among the addresses of a name, `tcp_info.py` decodes the kernel's
round trips and retransmits.
"""
