import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kubesonar.model import Fault, Health, Kind, Observation, Side, Snapshot
from kubesonar.model import Path as Way
from tests.apps.agents import RunningAgent, members, tree, until
from tests.ports import free_port

KEY = "1 " + "ab" * 16 + "\n"
OTHER_KEY = "2 " + "cd" * 16 + "\n"


def both_sides_well(snapshot: Snapshot, peer: str) -> bool:
    """Whether every kind towards the peer was seen to be well, and the peer's trains arrived."""
    edges = [edge for edge in snapshot.edges if edge.latest.check.target == peer]
    good = [edge.latest for edge in edges if edge.latest.health is Health.GOOD]
    well = {latest.check.kind for latest in good if latest.side is Side.SOURCE}
    asked = any(latest.side is Side.RESPONDER and latest.received == 7 for latest in good)
    return asked and well >= {Kind.UDP, Kind.TCP, Kind.HTTP, Kind.MTU}


def whole_train(snapshot: Snapshot) -> Observation | None:
    """The latest train to b, if all of it came back: on a busy machine one may be late."""
    (latest,) = (e.latest for e in snapshot.edges if e.latest.check.id == "udp/pod/b/v4")
    return latest if latest.train is not None and latest.received == 7 and latest.train.full_received == 1 else None


def test_two_agents_probe_each_other_by_every_kind(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(KEY)
    a, b = free_port(), free_port()
    roster = members(tmp_path, {"a": a, "b": b})
    more = {"keys": {"file": str(keys)}}
    with (
        RunningAgent(tmp_path, "a", **tree("a", a, roster, **more)) as one,
        RunningAgent(tmp_path, "b", **tree("b", b, roster, **more)) as other,
    ):
        until(lambda: both_sides_well(one.snapshot(), "b") and both_sides_well(other.snapshot(), "a"))
        latest = until(lambda: whole_train(one.snapshot()))
        assert latest.rtt is not None and latest.train is not None
        assert 0 < latest.rtt.best < 1
        assert len(latest.train.ports) == 7
        assert any(e.latest.check.path is Way.LOOPBACK for e in one.snapshot().edges)

        metrics = one.get("/metrics")[1].decode()
        assert 'kubesonar_probes_total{kind="udp",path="pod",result="good"}' in metrics
        # Until both agents had started, probes were refused, later ones were late on a busy machine, and edges have
        # series of their own while they are bad.
        lines = [line for line in metrics.splitlines() if line and not re.search('result="(?!good)', line)]
        usual = [line for line in lines if not line.startswith(("#", "kubesonar_edge_"))]
        assert len(usual) <= 60

        # A key is rotated: appended everywhere, moved to the top everywhere, the old one removed. Nothing is lost.
        rotated = time.time()
        for text in (KEY + OTHER_KEY, OTHER_KEY + KEY, OTHER_KEY):
            keys.write_text(text)
            time.sleep(1.5)
        trials = next(e for e in one.snapshot().edges if e.latest.check.id == "udp/pod/b/v4").trials
        during = [trial for trial in trials if trial.at > rotated]
        assert len(during) > 5
        assert all(trial.fault in (None, Fault.MISMATCH, Fault.LOCAL) for trial in during)

        # A key file that is spoiled changes nothing, and is told of where one looks after a rotation.
        keys.write_text(OTHER_KEY + "3 short\n")
        remark = f"{keys}: line 2 has a key that is neither hex nor base64; what was read before stays in force\n"
        until(lambda: remark in one.get("/readyz")[1].decode())
        assert one.status("/readyz") == 200
        keys.write_text(OTHER_KEY)
        until(lambda: one.get("/readyz")[1] == b"ok\n")
        assert one.stop() == 0


def test_a_dead_peer_is_seen_and_an_excused_one_still_probed(tmp_path: Path) -> None:
    a, dead = free_port(), free_port()
    roster = members(tmp_path, {"a": a, "dead": dead})
    with RunningAgent(tmp_path, "a", **tree("a", a, roster)) as agent:

        def faults() -> dict[Kind, Fault | None]:
            return {
                e.latest.check.kind: e.latest.fault for e in agent.snapshot().edges if e.latest.check.target == "dead"
            }

        until(lambda: faults().get(Kind.UDP) is Fault.REFUSED and faults().get(Kind.TCP) is Fault.REFUSED)
        members(tmp_path, {"a": a, "dead": dead}, dead="draining")
        until(lambda: any(not member.expected for member in agent.snapshot().roster.members))
        assert faults()[Kind.TCP] is Fault.REFUSED


def test_the_silence_of_an_excused_member_is_logged_but_warns_nobody(tmp_path: Path) -> None:
    a, dead = free_port(), free_port()
    roster = members(tmp_path, {"a": a, "dead": dead}, dead="draining")
    with RunningAgent(tmp_path, "a", **tree("a", a, roster)) as agent:
        (line, *_) = until(lambda: [line for line in agent.log.read_text().splitlines() if "tcp/pod/dead" in line])
        assert " INFO " in line


def test_reads_need_the_token_where_one_is_set_and_the_token_is_read_again(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    port = free_port()
    roster = members(tmp_path, {"a": port})
    with RunningAgent(tmp_path, "a", **tree("a", port, roster, api={"token_file": str(token)})) as agent:
        assert agent.get("/metrics")[0] == 401
        assert agent.get("/api/v1/snapshot", {"Authorization": "Bearer wrong"})[0] == 401
        assert agent.get("/metrics", {"Authorization": "Bearer first"})[0] == 200
        assert agent.get("/healthz")[0] == 200
        token.write_text("second\n")
        assert until(lambda: agent.get("/metrics", {"Authorization": "Bearer second"})[0] == 200)
        assert agent.get("/metrics", {"Authorization": "Bearer first"})[0] == 401


def test_on_sigterm_it_stops_probing_answers_for_a_while_and_leaves(tmp_path: Path) -> None:
    port, peer = free_port(), free_port()
    roster = members(tmp_path, {"a": port, "peer": peer})
    with RunningAgent(tmp_path, "a", **tree("a", port, roster, shutdown={"grace": 3.0})) as agent:
        until(lambda: agent.snapshot().edges)
        agent.process.send_signal(signal.SIGTERM)
        until(lambda: agent.status("/readyz") == 503)
        assert agent.status("/healthz") == 200
        probed = max(e.latest.at for e in agent.snapshot().edges)
        time.sleep(1.0)
        assert max(e.latest.at for e in agent.snapshot().edges) - probed < 0.9
        assert agent.process.wait(30) == 0


def test_a_frozen_agent_says_so_afterwards_and_accuses_nobody(tmp_path: Path) -> None:
    a, b = free_port(), free_port()
    roster = members(tmp_path, {"a": a, "b": b})
    with (
        RunningAgent(tmp_path, "b", **tree("b", b, roster)),
        RunningAgent(tmp_path, "a", **tree("a", a, roster)) as frozen,
    ):
        until(lambda: both_sides_well(frozen.snapshot(), "b"))
        began = time.time()
        frozen.process.send_signal(signal.SIGSTOP)
        time.sleep(3)
        frozen.process.send_signal(signal.SIGCONT)
        (trouble,) = until(lambda: frozen.snapshot().troubles)
        assert began - 0.6 < trouble.since < began + 0.6
        until(lambda: frozen.snapshot().troubles[0].until is not None)
        accused = [
            trial
            for edge in frozen.snapshot().edges
            if edge.latest.check.target == "b" and edge.latest.check.kind is not Kind.ICMP
            for trial in edge.trials
            if trial.fault is not None and trial.fault.accuses
        ]
        assert accused == []


@pytest.mark.parametrize("bind", ["127.0.0.3", "::1", "::"])
def test_an_agent_that_answers_on_one_address_only_trusts_itself(tmp_path: Path, bind: str) -> None:
    port = free_port()
    options = tree("a", port, members(tmp_path, {"a": port})) | {
        "member": {"name": "a", "port": port, "bind": [bind]},
        "api": {"listen": [{"address": f"127.0.0.1:{port}"}]},
    }
    with RunningAgent(tmp_path, "a", **options) as agent:
        (own,) = until(lambda: agent.snapshot().edges)
        assert (own.latest.fault, own.latest.received) == (None, own.latest.sent)
        assert not agent.snapshot().troubles


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--member.port", "notaport"], "member.port"),
        (["--member.prot", "1"], "member.port"),
        (
            ["--keys.file", "/nonexistent/keys"],
            "keys.file: /nonexistent/keys cannot be used: No such file or directory",
        ),
        (["--api.token_file", "/nonexistent"], "token"),
        (["--member.bind", "192.0.2.1"], "member.bind"),
        (["--udp.train", "1000"], "udp.train"),
    ],
)
def test_a_bad_setting_ends_with_code_2_and_one_sentence(flags: list[str], says: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kubesonar", "agent", "--member.port", str(free_port()), *flags],
        capture_output=True,
        text=True,
        timeout=60,
        env={key: value for key, value in os.environ.items() if not key.startswith("KUBESONAR_")},
    )
    assert done.returncode == 2
    sentence, *more = done.stderr.splitlines()
    assert says in sentence
    assert more in ([], ["kubesonar agent --help shows more"])


def test_logs_are_json_where_asked_for(tmp_path: Path) -> None:
    port = free_port()
    roster = members(tmp_path, {"a": port})
    with RunningAgent(tmp_path, "a", **tree("a", port, roster, log={"format": "json"})) as agent:
        assert agent.stop() == 0
    lines = [json.loads(line) for line in agent.log.read_text().splitlines()]
    assert [line["message"] for line in lines][-1] == "left"
    assert any(line["message"] == "the roster changed" and line["members"] == 1 for line in lines)


def test_a_roster_that_does_not_fit_is_told_of(tmp_path: Path) -> None:
    port = free_port()
    roster = members(tmp_path, {"somebody": free_port()})
    with RunningAgent(tmp_path, "a", **tree("a", port, roster)) as agent:
        assert "the roster does not name this member" in agent.log.read_text()
        members(tmp_path, {"a": free_port()})
        until(lambda: "the roster contradicts member.port" in agent.log.read_text())
        (own,) = until(lambda: [e for e in agent.snapshot().edges if len(e.trials) > 3])
        assert own.short.failed == own.short.unknown == 0
        assert agent.status("/readyz") == 200


@pytest.mark.parametrize(
    "spoiled",
    [
        b"version: 1\nmembers:\n- {name: a, node: a, network: host,!addresses: [127.0.0.1], port: 1}\n",
        b'{"version": 1, "members": [{"name": "\xff"}]}',
        b'version: 1\nmembers: [{name: !!int ""}]\n',
    ],
)
def test_a_members_file_that_becomes_bad_leaves_the_last_good_one_in_force_and_is_told(
    tmp_path: Path, spoiled: bytes
) -> None:
    port = free_port()
    roster = members(tmp_path, {"a": port})
    with RunningAgent(tmp_path, "a", **tree("a", port, roster)) as agent:
        roster.write_bytes(spoiled)
        until(lambda: agent.snapshot().roster.stale)
        assert agent.snapshot().roster.stale.startswith(f"members file {roster} ")
        assert [member.name for member in agent.snapshot().roster.members] == ["a"]
        status, body = agent.get("/readyz")
        assert (status, b"the roster is stale" in body) == (200, True)
        assert "what was read before stays in force" in agent.log.read_text()
        assert 'kubesonar_dropped_total{what="crashes"} 0' in agent.get("/metrics")[1].decode()
        members(tmp_path, {"a": port})
        until(lambda: not agent.snapshot().roster.stale)
