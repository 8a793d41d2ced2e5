"""Makes the authenticator that the options ask for."""

from __future__ import annotations

from collections.abc import Mapping

from kubesonar.config import ConfigError
from kubesonar.kube.auth.credential_file import CredentialsError
from kubesonar.kube.auth.loading_rules import find_credentials
from kubesonar.kube.client import Client
from kubesonar.net.clock import Clock
from kubesonar.reports.auth.reporter import AnyReporter, ReportAuthenticator
from kubesonar.reports.auth.shared_secret import SharedSecret
from kubesonar.reports.auth.signed import SignedReports
from kubesonar.reports.auth.token_review import TokenReviews
from kubesonar.reports.auth.verified import VerifiedTokens
from kubesonar.reports.options import IntakeOptions, ReportAuthority


def report_authenticator(options: IntakeOptions, environ: Mapping[str, str], clock: Clock) -> ReportAuthenticator:
    """Return the authenticator of `options`. Raises ConfigError where it cannot be used."""
    if options.auth is ReportAuthority.NONE:
        return AnyReporter()
    if options.auth is ReportAuthority.SECRET:
        if not options.secret_file:
            raise ConfigError("reports.secret_file: expected a file, because reports.auth is secret")
        return SharedSecret(options.secret_file)
    if options.auth is ReportAuthority.KEYS:
        if not options.keys_file:
            raise ConfigError("reports.keys_file: expected a file, because reports.auth is keys")
        return SignedReports(options.keys_file, clock)
    try:
        client = Client(find_credentials(environ, options.kubeconfig), clock=clock)
    except CredentialsError as error:
        raise ConfigError(f"reports.auth: {options.auth.value} cannot be used: {error}") from error
    if options.auth is ReportAuthority.REVIEW:
        return VerifiedTokens(TokenReviews(client, options.audience).verify, client, options.account, clock)
    try:
        from kubesonar.reports.auth.service_account import PublishedKeys  # joserfc: only where tokens are verified here
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"reports.auth: token needs {error.name}: pip install 'kubesonar[collector]', or use review"
        ) from None
    return VerifiedTokens(PublishedKeys(client, options.audience, clock).verify, client, options.account, clock)
