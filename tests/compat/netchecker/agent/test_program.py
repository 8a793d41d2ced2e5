"""The agent as a process."""

from __future__ import annotations

import signal

import pytest

from tests.compat.netchecker.rig import start
from tests.ports import free_port

NAMED = {"MY_POD_NAME": "a", "MY_NODE_NAME": "n"}


@pytest.mark.parametrize(
    ("flags", "environ", "code", "said"),
    [
        ([], {}, 1, "MY_POD_NAME"),
        ([], {"MY_POD_NAME": "a/b"}, 1, "MY_POD_NAME"),
        (["-serverendpoint=a b"], NAMED, 2, "-serverendpoint: a URL is"),
        (["-nonsense"], NAMED, 2, "not defined: -nonsense"),
    ],
)
def test_nc35_nc37_what_cannot_be_used_ends_with_a_sentence(
    flags: list[str], environ: dict[str, str], code: int, said: str
) -> None:
    process = start("netchecker-agent", *flags, **environ)
    _, error = process.communicate(timeout=30)
    sentence, *more = error.splitlines()
    assert (process.returncode, said in sentence) == (code, True)
    assert more == (["kubesonar netchecker-agent --help shows more"] if code == 2 else [])


def test_nc35_an_agent_without_its_nodes_name_says_so_and_reports() -> None:
    process = start("netchecker-agent", f"-serverendpoint=127.0.0.1:{free_port()}", MY_POD_NAME="a")
    assert process.stderr is not None
    first, second = process.stderr.readline(), process.stderr.readline()
    assert "MY_NODE_NAME is not set" in first and "reporting" in second
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0
    process.communicate()
