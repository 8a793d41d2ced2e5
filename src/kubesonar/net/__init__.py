"""The wire: the only room that opens client sockets. It knows bytes, deadlines and the kernel's facts, but no checks.

In: an IP address, bytes to send and a deadline. Out: bytes, time stamps and faults as values. Read `deadline.py` first,
then `udp/train_sender.py` for datagrams and `tcp/stream.py` for connections; `kernel/` is what the kernel says beside
the bytes.
"""
