from pathlib import Path

from standardwebhooks import Webhook

from tests.notify.receivers import Receiver, notice, options, run, telling

NEW = "whsec_" + "bmV3" * 8


def test_a_secret_file_that_turns_bad_leaves_the_secrets_in_force(tmp_path: Path) -> None:
    secrets, token = tmp_path / "secrets", tmp_path / "token"
    secrets.write_text(NEW)
    token.write_text("letmein\n")

    async def scenario() -> None:
        async with Receiver().serve() as receiver:
            own = options(receiver.url, secret_file=str(secrets), token_file=str(token))
            async with telling(own) as webhooks:
                secrets.write_text("gibberish")
                token.unlink()
                await webhooks.notify(notice(1))
                (request,) = await receiver.heard(1)
        Webhook(NEW).verify(request.body, request.headers)
        assert request.headers["authorization"] == "Bearer letmein"

    run(scenario())
