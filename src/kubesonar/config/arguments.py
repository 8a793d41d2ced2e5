"""Values of arguments that several commands read alike, as types for argparse."""

from __future__ import annotations

import argparse

from kubesonar.core.address import read_port


def port_argument(text: str) -> int:
    """Return the port that `text` is, from 1 to 65535. Raises ArgumentTypeError."""
    port = read_port(text)
    if not port:
        raise argparse.ArgumentTypeError(f'got "{text[:20]}", expected a port from 1 to 65535')
    return port
