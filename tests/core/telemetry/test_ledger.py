import msgspec
import pytest

from kubesonar.core.telemetry.ledger import Ledger, LedgerOptions
from kubesonar.model import (
    Check,
    Fault,
    Kind,
    Member,
    Network,
    Observation,
    Path,
    Roster,
    Rtt,
    Side,
    Snapshot,
    StampSource,
    Train,
    Trouble,
)

ME = Member("me", "node-1", ("10.0.0.1",), 7473)
OPTIONS = LedgerOptions(short=10, long=60, edges=16, trials=16)


def check(target: str = "peer") -> Check:
    return Check(f"udp/pod/{target}/v4", Kind.UDP, Path.POD, target, "10.0.0.2", port=7473)


def train(at: float, received: int = 8, target: str = "peer", **more: object) -> Observation:
    return msgspec.structs.replace(
        Observation(
            check(target),
            "me",
            Network.POD,
            at=at,
            sent=8,
            received=received,
            rtt=Rtt(0.001, 0.002, 0.003, StampSource.KERNEL),
            train=Train(number=int(at), seen=received),
        ),
        **more,
    )


def ledger() -> Ledger:
    return Ledger(ME, started=0.0, options=OPTIONS)


def test_an_edge_has_its_latest_observation_and_two_windows() -> None:
    kept = ledger()
    for second in range(0, 60, 5):
        kept.add(train(1000.0 + second, received=8 if second < 50 else 6))
    (edge,) = kept.snapshot(1060.0).edges
    assert edge.latest.at == 1055.0
    assert (edge.short.sent, edge.short.received) == (16, 12)
    assert edge.short.loss == pytest.approx(0.25)
    assert (edge.long.sent, edge.long.received) == (96, 92)
    assert edge.long.rtt_mean == pytest.approx(0.001)
    assert [trial.number for trial in edge.trials] == list(range(1000, 1060, 5))


@pytest.mark.parametrize("fault", [None, *Fault])
@pytest.mark.parametrize(("sent", "received"), [(0, 0), (1, 0), (1, 1), (0, 1)])
def test_trials_keep_every_fault_and_what_became_of_the_full_size_datagram(
    fault: Fault | None, sent: int, received: int
) -> None:
    kept = ledger()
    full = Train(number=7, full=1500, full_sent=sent, full_received=received)
    kept.add(train(1000.0, fault=fault, train=full))
    (trial,) = kept.snapshot(1001.0).edges[0].trials
    assert (trial.fault, trial.full_sent, trial.full_received, trial.slow) == (fault, sent, received, False)


def test_failures_that_accuse_nobody_are_unknown_and_not_loss() -> None:
    kept = ledger()
    kept.add(train(1000.0, received=0, fault=Fault.LOCAL))
    kept.add(train(1001.0, received=0, fault=Fault.TIMEOUT))
    kept.add(train(1002.0, received=0, fault=Fault.MISMATCH))
    (edge,) = kept.snapshot(1003.0).edges
    assert (edge.short.observations, edge.short.failed, edge.short.unknown) == (3, 1, 2)
    assert edge.short.sent == 8


def test_it_is_remembered_since_when_an_edge_is_bad_longer_than_its_trials() -> None:
    kept = ledger()
    for second in range(0, 600, 5):
        well = second < 20 or second == 100
        kept.add(train(1000.0 + second, received=8 if well else 0, fault=None if well else Fault.TIMEOUT))
    assert kept.snapshot(1600.0).edges[0].bad_since == 1020.0
    for second in range(600, 615, 5):
        kept.add(train(1000.0 + second))
    assert kept.snapshot(1615.0).edges[0].bad_since is None


def test_nothing_sent_is_no_loss() -> None:
    kept = ledger()
    kept.add(train(1000.0))
    (edge,) = kept.snapshot(1100.0).edges
    assert edge.short.loss is None


def test_trials_and_edges_are_bounded_and_what_is_dropped_is_counted() -> None:
    kept = ledger()
    for second in range(40):
        kept.add(train(1000.0 + second))
    for number in range(30):
        kept.add(train(1040.0, target=f"peer-{number}"))
    snapshot = kept.snapshot(1041.0)
    assert len(snapshot.edges) == 16
    assert kept.dropped == 15
    assert max(len(edge.trials) for edge in snapshot.edges) == 16


def test_both_sides_of_one_pair_are_apart() -> None:
    kept = ledger()
    kept.add(train(1000.0))
    kept.add(train(1000.0, side=Side.RESPONDER))
    assert {edge.latest.side for edge in kept.snapshot(1001.0).edges} == {Side.SOURCE, Side.RESPONDER}


def test_checks_that_are_no_longer_made_are_forgotten_and_silent_askers_too() -> None:
    kept = ledger()
    kept.add(train(1000.0, target="gone"))
    kept.add(train(1000.0, target="stays"))
    kept.add(train(1000.0, target="asks", side=Side.RESPONDER))
    kept.retain([check("stays")], now=1030.0)
    assert {edge.latest.check.target for edge in kept.snapshot(1030.0).edges} == {"stays", "asks"}
    kept.retain([check("stays")], now=1061.0)
    assert {edge.latest.check.target for edge in kept.snapshot(1061.0).edges} == {"stays"}


def test_troubles_are_kept_as_long_as_the_past_and_told_for_a_minute() -> None:
    kept = ledger()
    kept.trouble(Trouble(1000.0, None, "starved"))
    assert kept.snapshot(2000.0).troubles == (Trouble(1000.0, None, "starved"),)
    kept.trouble(Trouble(1000.0, 2000.0, "starved"))
    assert kept.snapshot(2001.0).troubles == (Trouble(1000.0, 2000.0, "starved"),)
    assert kept.snapshot(2061.0).latest_troubles == ()
    assert len(kept.snapshot(2900.0).troubles) == 1
    assert kept.snapshot(2901.0).troubles == ()


def test_folds_see_every_observation() -> None:
    class Count:
        seen = 0

        def add(self, observation: Observation) -> None:
            self.seen += observation.received

    kept, fold = ledger(), Count()
    kept.register(fold)
    kept.add(train(1000.0))
    kept.add(train(1001.0, received=3))
    assert fold.seen == 11


def test_a_snapshot_survives_json() -> None:
    kept = ledger()
    kept.add(train(1000.0, received=0, fault=Fault.TIMEOUT))
    snapshot = kept.snapshot(1001.0)
    assert msgspec.json.decode(msgspec.json.encode(snapshot), type=Snapshot) == snapshot


def test_unknown_words_of_a_later_version_decode_to_other() -> None:
    text = msgspec.json.encode(train(1000.0, fault=Fault.TIMEOUT)).replace(b'"timeout"', b'"gremlins"')
    assert msgspec.json.decode(text, type=Observation).fault is Fault.OTHER


def test_others_who_ask_never_take_the_room_of_what_is_probed() -> None:
    kept = ledger()
    for number in range(100):
        kept.add(train(1000.0, target=f"asker-{number}", side=Side.RESPONDER))
    assert len(kept.snapshot(1001.0).edges) == 4
    for number in range(16):
        kept.add(train(1000.0, target=f"peer-{number}"))
    assert {edge.latest.side for edge in kept.snapshot(1001.0).edges} == {Side.SOURCE}
    assert len(kept.snapshot(1001.0).edges) == 16
    kept.add(train(1000.0, target="asker", side=Side.RESPONDER))
    assert len(kept.snapshot(1001.0).edges) == 16


def test_a_wall_clock_set_back_leaves_nothing_from_the_future() -> None:
    kept = ledger()
    for second in range(10):
        kept.add(train(5000.0 + second))
        kept.add(train(5000.0 + second, side=Side.RESPONDER))
    kept.add(train(1400.0))
    (edge, _) = kept.snapshot(1401.0).edges
    assert [trial.at for trial in edge.trials] == [1400.0]
    kept.retain([check()], now=1401.0)
    assert [edge.latest.side for edge in kept.snapshot(1401.0).edges] == [Side.SOURCE]


def test_a_probe_that_took_long_is_remembered_beside_later_ones() -> None:
    kept = ledger()
    kept.add(train(1000.0))
    kept.add(train(1010.0))
    kept.add(train(1001.0, received=0, fault=Fault.TIMEOUT))
    assert kept.snapshot(1011.0).edges[0].long.observations == 3


def test_a_member_is_what_the_roster_says_of_its_name_but_keeps_its_own_epoch() -> None:
    started = Ledger(msgspec.structs.replace(ME, epoch=7), 0.0, OPTIONS)
    named = msgspec.structs.replace(ME, zone="a", epoch=3)
    assert started.roster_changed(Roster("1", (named,))) == []
    assert started.member == msgspec.structs.replace(named, epoch=7)
    started.roster_changed(Roster("2", ()))
    assert (started.member.zone, started.roster.revision) == ("a", "2")


def test_a_snapshot_says_who_coordinates_and_what_cannot_be_checked() -> None:
    kept = ledger()
    kept.elected("peer")
    kept.cannot_check(("DNS is not checked",))
    snapshot = kept.snapshot(1.0)
    assert (snapshot.coordinator, snapshot.lacks) == ("peer", ("DNS is not checked",))


def test_what_a_roster_contradicts_is_said_once_for_each_field() -> None:
    kept = ledger()
    other = msgspec.structs.replace(ME, port=7474, network=Network.HOST)
    assert kept.roster_changed(Roster("1", (other,))) == [
        "the roster contradicts member.network: host instead of pod",
        "the roster contradicts member.port: 7474 instead of 7473",
    ]
    (sentence,) = kept.roster_changed(Roster("2", (msgspec.structs.replace(ME, name="x"),)))
    assert sentence.startswith("the roster does not name this member")
    assert kept.roster_changed(Roster("none", ())) == []
