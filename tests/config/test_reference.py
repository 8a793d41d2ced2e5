"""The help text and the documentation say everything about every option."""

from __future__ import annotations

from kubesonar.config import describe, help_text, markdown
from tests.config.trees import Root


def test_every_option_is_a_row() -> None:
    rows = {row.key: row for row in describe(Root)}
    period = rows["udp.period"]
    assert (period.default, period.env, period.flag) == ("10s", "KUBESONAR_UDP_PERIOD", "--udp.period")
    assert period.type == "a duration (seconds, or as 250ms, 5s, 2m, 1h) from 0.1 to 3600 s"
    assert rows["udp.time_out"].type.endswith("more than 0 s")
    assert rows["http.listen"].type == "a list, each a mapping with the keys address, port, network"
    assert rows["http.token_file"].type == "text or null"


def test_help_and_documentation_name_every_option() -> None:
    rows = describe(Root)
    for text in (help_text(Root, "kubesonar agent", "Probes."), markdown(rows)):
        assert all(row.env in text and row.description in text for row in rows)
