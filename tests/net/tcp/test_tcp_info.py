from __future__ import annotations

import socket

from kubesonar.net.tcp.tcp_info import tcp_info


def test_facts_of_a_connection_and_none_of_other_sockets() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        facts = tcp_info(client)
        assert facts is not None
        assert 0 < facts.rtt < 1
        assert facts.retransmits == 0
        assert facts.path_mtu > facts.mss > 0
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert tcp_info(ours) is None


def test_nothing_was_timed_before_a_connect() -> None:
    with socket.socket() as idle:
        facts = tcp_info(idle)
    assert facts is not None
    assert (facts.rtt, facts.rttvar) == (0.0, 0.0)
