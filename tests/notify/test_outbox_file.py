from pathlib import Path

import pytest

from kubesonar.notify.outbox_file import OutboxFile, Unavailable
from tests.notify.receivers import notice, options, rows, run, telling


def test_two_processes_do_not_share_a_file(tmp_path: Path) -> None:
    async def scenario() -> str:
        file = OutboxFile(str(tmp_path))
        try:
            with pytest.raises(Unavailable, match="locked"):
                OutboxFile(str(tmp_path), wait=0.01)
            async with telling(options("http://127.0.0.1:1/", directory=str(tmp_path))) as webhooks:
                await webhooks.notify(notice(1))
                trouble = webhooks.trouble
                file.close()
            assert webhooks.trouble == ""
        finally:
            file.close()
        return trouble

    assert run(scenario()) == "database is locked; notices are held in memory only"
    assert [entry.id for entry in rows(tmp_path)] == [notice(1).id]
