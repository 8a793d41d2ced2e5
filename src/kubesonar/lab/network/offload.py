"""Segmentation offloads, turned off on every link of the lab. With them virtual links carry frames of up to 64 kB, and
rules on packet length would see sizes that no real network has."""

from __future__ import annotations

import array
import fcntl
import socket
import struct

_SIOCETHTOOL = 0x8946  # include/uapi/linux/sockios.h
_ETHTOOL_STSO = 0x1F  # include/uapi/linux/ethtool.h, as the two below
_ETHTOOL_SGSO = 0x24
_ETHTOOL_SGRO = 0x2C


def segment_in_software(interface: str) -> None:
    """Turn TSO, GSO and GRO off on an interface of the calling thread's network namespace. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        for command in (_ETHTOOL_STSO, _ETHTOOL_SGSO, _ETHTOOL_SGRO):
            value = array.array("I", [command, 0])  # struct ethtool_value
            address, _ = value.buffer_info()
            request = struct.pack("16sP16x", interface.encode(), address)  # struct ifreq
            fcntl.ioctl(handle, _SIOCETHTOOL, request)
