"""The chart as the real helm renders it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.programs import LACKS_HELM

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "kubesonar"
VALUES = Path(__file__).parent / "values"

Tree = dict[str, Any]


def helms() -> list[Path]:
    """Helm 3 and 4 where scripts/helm has put them, else that of the PATH."""
    here = sorted((ROOT / ".tools").glob("helm-*"))
    on_path = shutil.which("helm")
    return here or ([Path(on_path)] if on_path else [])


def helm(program: Path, *arguments: str, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs it, without anybody's cluster or plug-ins. It keeps what clusters tell it at home. It lives for a moment,
    and collects no garbage, which takes a third of its time."""
    with tempfile.TemporaryDirectory() as home:
        return subprocess.run(
            [str(program), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={"PATH": "/usr/bin:/bin", "HOME": home, "KUBECONFIG": "/dev/null", "GOGC": "off", **(environ or {})},
        )


def newest() -> Path:
    """One helm. Skips the test where there is none."""
    found = helms()
    if not found:
        pytest.skip(LACKS_HELM)
    return found[-1]


@cache
def render(*flags: str, release: str = "ks", program: Path | None = None) -> tuple[Tree, ...]:
    """The objects of a release in the namespace "mon". The flags are helm's; a first one without dashes is a file of
    tests/deploy/values."""
    if flags and not flags[0].startswith("-"):
        flags = ("-f", str(VALUES / f"{flags[0]}.yaml"), *flags[1:])
    done = helm(program or newest(), "template", release, str(CHART), "-n", "mon", *flags)
    assert done.returncode == 0, done.stderr
    return tuple(tree for tree in yaml.load_all(done.stdout, yaml.CSafeLoader) if tree)


def refusal(*flags: str, program: Path | None = None) -> str:
    """What helm says instead of rendering."""
    done = helm(program or newest(), "template", "ks", str(CHART), "-n", "mon", *flags)
    assert done.returncode != 0
    return done.stderr


def one(trees: tuple[Tree, ...], kind: str, name: str = "") -> Tree:
    """The only object of this kind (and name)."""
    found = [tree for tree in trees if tree["kind"] == kind and name in ("", tree["metadata"]["name"])]
    assert len(found) == 1, [(tree["kind"], tree["metadata"]["name"]) for tree in trees]
    return found[0]


def named(trees: tuple[Tree, ...], kind: str) -> list[str]:
    """Names of the objects of this kind."""
    return sorted(tree["metadata"]["name"] for tree in trees if tree["kind"] == kind)


def container(tree: Tree) -> Tree:
    """The only container of a DaemonSet or Job."""
    (found,) = tree["spec"]["template"]["spec"]["containers"]
    return dict(found)


def environment(tree: Tree) -> dict[str, Any]:
    """Its variables: values, or where they come from."""
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in container(tree)["env"]}
