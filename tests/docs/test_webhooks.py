"""docs/webhooks.md keeps up with the code, and its receiver works."""

import asyncio
import base64
import re
import socket
import subprocess
import sys
from pathlib import Path

from kubesonar.model import Condition
from kubesonar.notify.formats import ALERTS
from tests.notify.receivers import notice, options, run, telling
from tests.waiting import until

PAGE = (Path(__file__).parents[2] / "docs/webhooks.md").read_text()


def test_every_condition_and_alert_is_in_the_page() -> None:
    words = [condition.value for condition in Condition if condition is not Condition.OTHER]
    words += [name for name, *_ in ALERTS.values()]
    assert [word for word in words if f"`{word}`" not in PAGE] == []


def test_the_receiver_in_the_page_takes_what_is_signed_and_drops_doubles(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    secret = "whsec_" + base64.b64encode(bytes(32)).decode()
    (tmp_path / "secret").write_text(secret)
    (tmp_path / "wrong").write_text("whsec_" + base64.b64encode(bytes(31) + b"1").decode())

    async def scenario() -> bytes:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        receiver = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", code),
            env={"WEBHOOK_SECRET": secret, "PORT": str(port)},
            stdout=subprocess.PIPE,
        )
        url = f"http://127.0.0.1:{port}/"
        async with telling(options(url, secret_file=str(tmp_path / "secret"))) as webhooks:
            for delivered in (1, 2):
                await webhooks.notify(notice(1))
                await until(lambda delivered=delivered: webhooks.figures()[0].delivered == delivered)
        async with telling(options(url, secret_file=str(tmp_path / "wrong"))) as webhooks:
            await webhooks.notify(notice(2))
            await until(lambda: webhooks.figures()[0].failed > 0)
        receiver.terminate()
        said, _ = await receiver.communicate()
        return said

    assert run(scenario()).decode() == "dead node-1-pod - node-1-pod is dead (1)\n"
