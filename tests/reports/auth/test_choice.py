import sys
from pathlib import Path

import pytest

from kubesonar.config import ConfigError
from kubesonar.net.clock import SystemClock
from kubesonar.reports.auth.choice import report_authenticator
from kubesonar.reports.auth.reporter import AnyReporter
from kubesonar.reports.auth.shared_secret import SharedSecret
from kubesonar.reports.auth.signed import SignedReports
from kubesonar.reports.auth.verified import VerifiedTokens
from kubesonar.reports.options import IntakeOptions, ReportAuthority
from tests.kube.apiserver import ApiServer

CLOCK = SystemClock()


def test_each_authority_has_its_authenticator(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "keys").write_text(f"1 {16 * 'ab'}\n")
    files = {"secret_file": str(tmp_path / "secret"), "keys_file": str(tmp_path / "keys")}
    with ApiServer() as api:
        kubeconfig = api.kubeconfig(tmp_path / "config")
        made = {
            authority: report_authenticator(IntakeOptions(auth=authority, kubeconfig=kubeconfig, **files), {}, CLOCK)
            for authority in ReportAuthority
        }
    assert {authority: type(one) for authority, one in made.items()} == {
        ReportAuthority.SECRET: SharedSecret,
        ReportAuthority.KEYS: SignedReports,
        ReportAuthority.TOKEN: VerifiedTokens,
        ReportAuthority.REVIEW: VerifiedTokens,
        ReportAuthority.NONE: AnyReporter,
    }


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (IntakeOptions(), "reports.secret_file: expected a file"),
        (IntakeOptions(secret_file="/nowhere"), "/nowhere cannot be used"),
        (IntakeOptions(auth=ReportAuthority.KEYS), "reports.keys_file: expected a file, because reports.auth is keys"),
        (IntakeOptions(auth=ReportAuthority.KEYS, keys_file="/nowhere"), "reports.keys_file: /nowhere cannot be used"),
        (IntakeOptions(auth=ReportAuthority.REVIEW), "reports.auth: review cannot be used: no credentials"),
        (IntakeOptions(auth=ReportAuthority.TOKEN, kubeconfig="/nowhere"), "reports.auth: token cannot be used"),
    ],
)
def test_what_cannot_be_used_is_refused_at_the_start(options: IntakeOptions, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        report_authenticator(options, {}, CLOCK)


def test_without_the_library_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "kubesonar.reports.auth.service_account", raising=False)
    monkeypatch.setitem(sys.modules, "joserfc", None)
    with ApiServer() as api:
        options = IntakeOptions(auth=ReportAuthority.TOKEN, kubeconfig=api.kubeconfig(tmp_path / "config"))
        with pytest.raises(
            ConfigError, match=r"token needs joserfc: pip install 'kubesonar\[collector\]', or use review"
        ):
            report_authenticator(options, {}, CLOCK)
