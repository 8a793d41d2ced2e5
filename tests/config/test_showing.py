"""The effective configuration as YAML."""

from __future__ import annotations

from pathlib import Path

from kubesonar.config import resolve, show_config
from tests.config.trees import Root, load_file


def test_what_is_shown_loads_to_the_same_tree(tmp_path: Path) -> None:
    loaded = resolve(Root, ["--http.listen", "{address: 'a # b'}"], {"KUBESONAR_NAME": "ünïcode: yes"})
    text = show_config(loaded.tree, loaded.origins)
    assert load_file(tmp_path, text) == loaded.tree
    assert 'name: "ünïcode: yes"  # environment variable KUBESONAR_NAME' in text
    assert text.count("#") == 3
