"""The wire: the only room that opens client sockets. Knows bytes, deadlines and kernel facts, but no checks."""
