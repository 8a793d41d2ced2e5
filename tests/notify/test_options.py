from pathlib import Path

import pytest

from kubesonar.config import ConfigError, resolve
from kubesonar.notify.options import NotifyOptions


def test_options_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        "receivers:\n- {name: pager, url: 'http://a/', only: [dead, back]}\ndelivery: {longest: 2m, keep: 48h}\n"
    )
    loaded = resolve(NotifyOptions, ["--config", str(file)], {}).tree
    assert loaded.receivers[0].only == ("dead", "back")
    assert (loaded.delivery.longest, loaded.delivery.keep) == (120, 172_800)
    with pytest.raises(ConfigError, match="receivers"):
        resolve(NotifyOptions, ["--receivers", '{"name": "../x", "url": "http://a/"}'], {})
