"""Wrong usage of the commands that argparse reads."""

from __future__ import annotations

import pytest

from kubesonar.apps import dns, keys
from kubesonar.config import ConfigError


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "--vantage", "9"], "--vantage: invalid choice: "),
        (["check", "--timeout", "x"], '--timeout: got "x", expected seconds from 0.05 to 30'),
        (["ask", "127.0.0.1", "--timeout", "0"], '--timeout: got "0", expected seconds from 0.05 to 30'),
        (["ask", "127.0.0.1", "--domain", "a..b"], "--domain: expected a domain name: "),
        (["ask", "127.0.0.1", "--outside", "x" * 64], "--outside: expected a domain name: "),
        (["rbac"], "the following arguments are required: --vantage"),
        (["exec"], "the following arguments are required: COMMAND"),
        (["repair", "--no-such-flag"], "unrecognized arguments: --no-such-flag"),
    ],
)
def test_it_is_told_in_one_sentence(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError) as refused:
        dns.main(arguments)
    assert str(refused.value).startswith(said) and "\n" not in str(refused.value)
    assert capsys.readouterr() == ("", "")


def test_also_of_verbs_with_arguments_of_their_own() -> None:
    with pytest.raises(ConfigError, match=r'^ID: got "x", expected a key id of 1 to 255$'):
        keys.main(["sign", "x", "keys"])
