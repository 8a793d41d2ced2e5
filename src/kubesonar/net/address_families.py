"""The socket module's word for each address family."""

from __future__ import annotations

import socket

ADDRESS_FAMILY = {0: socket.AF_UNSPEC, 4: socket.AF_INET, 6: socket.AF_INET6}
"""The kernel's address families by the numbers 4 and 6, and by 0 for either."""
