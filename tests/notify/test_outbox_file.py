import os
import stat
from pathlib import Path

import pytest

from kubesonar.notify.outbox_entry import OutboxEntry
from kubesonar.notify.outbox_file import OUTBOX_FILE, OutboxFile
from kubesonar.runtime.sqlite_file import Unavailable
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


@pytest.mark.parametrize("before", [None, 0o644])
def test_only_its_owner_reads_it(tmp_path: Path, before: int | None) -> None:
    """Also one that an earlier version left readable for all."""
    mask = os.umask(0o022)
    try:
        if before is not None:
            OutboxFile(str(tmp_path)).close()
            (tmp_path / OUTBOX_FILE).chmod(before)
        file = OutboxFile(str(tmp_path))
        file.write([OutboxEntry(1, "a", "id", "x", 0.0, b"{}")], ())
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        file.close()
    finally:
        os.umask(mask)
    assert OUTBOX_FILE in modes and f"{OUTBOX_FILE}-wal" in modes
    assert set(modes.values()) == {0o600}
