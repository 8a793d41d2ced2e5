"""Reads what the Linux kernel says beside the bytes of a socket: messages of its error queue, filters, interfaces,
routes.

In: a socket, or an address. Out: time stamps, ICMP errors, drop counters, link and path sizes as values. Read `cmsg.py`
first, then `error_queue.py` for what comes with a datagram and `netlink.py` for what is asked of the kernel.
"""
