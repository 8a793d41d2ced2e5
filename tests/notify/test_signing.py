from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from kubesonar.config import ConfigError
from kubesonar.notify.receivers import configured
from tests.notify.receivers import Receiver, notice, options, run, telling

URL = "http://hooks.example.org/x"


@pytest.mark.parametrize(
    "line", ["", "# nothing", "whsec_", "whsec_c2hvcnQ=", "b2xk" * 8, "whsec_" + "b2xk" * 22, "whsec_*"]
)
def test_what_is_no_secret(tmp_path: Path, line: str) -> None:
    secrets = tmp_path / "secrets"
    secrets.write_text(line)
    with pytest.raises(ConfigError, match=r"secret_file: .* cannot be used: (a line that is not|it holds no secret)"):
        configured(options(URL, secret_file=str(secrets)), {})


OLD = "whsec_" + "b2xk" * 8


NEW = "whsec_" + "bmV3" * 8


def test_a_signature_is_what_the_library_of_the_scheme_expects(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.write_text(f"# the older one goes next week\n{NEW}\n{OLD}\n")

    async def scenario() -> None:
        own = Receiver()
        async with own.serve() as receiver, telling(options(receiver.url, secret_file=str(secrets))) as webhooks:
            await webhooks.notify(notice(1))
            await receiver.heard(1)
            secrets.write_text(NEW)
            await webhooks.notify(notice(2))
            both, new = await receiver.heard(2)
        for secret in (OLD, NEW):
            Webhook(secret).verify(both.body, both.headers)
        Webhook(NEW).verify(new.body, new.headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(OLD).verify(new.body, new.headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(NEW).verify(new.body + b" ", new.headers)

    run(scenario())
