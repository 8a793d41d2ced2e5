"""Which of a lab's collectors can be asked."""

from __future__ import annotations

import socket
from pathlib import Path

from kubesonar.lab.directory import collector_sockets


def test_the_socket_of_a_collector_that_was_killed_is_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "collectors"
    folder.mkdir()
    for name in ("collector-1", "collector-2", "collector-3"):
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(folder / f"{name}.sock"))
        listening.listen()
        if name == "collector-2":
            held = listening
        else:
            listening.close()
    with held:
        assert collector_sockets(tmp_path) == [folder / "collector-2.sock"]
    assert collector_sockets(tmp_path / "nowhere") == []
