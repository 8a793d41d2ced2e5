"""The Dockerfile, as far as that goes without an engine: read as data, and its steps done into an empty prefix."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dockerfile_parse import DockerfileParser

from kubesonar.cli import COMMANDS
from tests.deploy.rendering import CHART, ROOT, container, render

TEXT = (ROOT / "Dockerfile").read_text()
BASE = 45.0
"""Compressed MiB of the base for amd64, at most: Debian's slim layer has 28, Python with its libraries 14."""
STDLIB = 5.0
"""Compressed MiB of the standard library's compiled modules, at most: those of Python 3.11 have 4."""
LIMIT = 60.0
MORE = 14.0
"""Compressed MiB that the collector's image has beside the agent's, at most."""
TOOLS = ("kubenurse", "knh", "netchecker-server", "netchecker-agent")
"""The stages that take the place of older tools, which are commands too."""

SOMEBODY = 54_321
"""A user that no image knows."""


def instructions() -> list[dict[str, Any]]:
    return [i for i in DockerfileParser(fileobj=io.BytesIO(TEXT.encode())).structure if i["instruction"] != "COMMENT"]


def stages() -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for instruction in instructions():
        if instruction["instruction"] == "FROM":
            found[instruction["value"].split()[-1]] = current = []
        elif found:
            current.append(instruction)
    return found


def last(stage: str, instruction: str) -> str:
    return str([i["value"] for i in stages()[stage] if i["instruction"] == instruction][-1])


def test_the_base_is_debian_13_with_a_named_python() -> None:
    (base,) = (i["value"] for i in instructions() if i["instruction"] == "ARG" and "PYTHON" in i["value"])
    assert re.fullmatch(r"PYTHON=python:3\.\d+-slim-trixie", base)


def test_the_last_stage_is_the_agent() -> None:
    assert list(stages()) == ["build", "collector-build", "runtime", *TOOLS, "collector", "kubesonar"]


def test_every_stage_starts_a_command_of_ours_without_a_shell() -> None:
    words = json.loads(last("runtime", "ENTRYPOINT"))
    assert words == ["/usr/local/bin/python3", "-I", "-B", "-m", "kubesonar"]
    assert json.loads(last("kubesonar", "CMD")) == ["agent"]
    assert json.loads(last("collector", "CMD")) == ["collector"]
    for tool in TOOLS:
        assert json.loads(last(tool, "ENTRYPOINT")) == [*words, tool]
    assert {"agent", *TOOLS} <= COMMANDS.keys()


def test_the_chart_asks_for_commands_that_the_image_has() -> None:
    trees = render("--set", "collector.enabled=true")
    programs = [tree for tree in trees if tree["kind"] in ("DaemonSet", "Job", "Deployment")]
    assert {tree["kind"] for tree in programs} == {"DaemonSet", "Job", "Deployment"}
    assert {container(tree)["args"][0] for tree in programs} <= COMMANDS.keys()


def test_the_user_is_a_number_that_is_not_root() -> None:
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", last("runtime", "USER"))
    assert not [i for name in (*TOOLS, "collector", "kubesonar") for i in stages()[name] if i["instruction"] == "USER"]


def test_what_is_copied_is_there_and_reaches_the_build() -> None:
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    for instruction in (*stages()["build"], *stages()["collector-build"]):
        if instruction["instruction"] == "COPY":
            for source in instruction["value"].split()[:-1]:
                assert (ROOT / source).exists()
                assert f"!{source.partition('/')[0]}" in ignore


def test_labels_say_what_it_is() -> None:
    labels = {line.partition("=")[0] for line in re.findall(r"org\.opencontainers\.image\.\S+", TEXT)}
    wanted = ("title", "description", "licenses", "version", "revision", "created")
    assert labels == {f"org.opencontainers.image.{name}" for name in wanted}


def test_the_chart_and_the_dockerfile_name_one_image() -> None:
    repository = re.search(r"repository: (\S+)", (CHART / "values.yaml").read_text())
    assert repository
    assert f"-t {repository[1]}:" in TEXT
    assert f"-t {repository[1]}-collector:" in TEXT


@pytest.fixture(scope="module")
def image() -> Iterator[Path]:
    """What the build stage makes, in an environment without pip."""
    with tempfile.TemporaryDirectory(prefix="kubesonar-image-") as folder:
        Path(folder).chmod(0o755)
        prefix, pip = Path(folder) / "image", (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
        install = (*pip, "--python", str(prefix / "bin" / "python"), "install", "--no-deps", "--no-compile")
        step(sys.executable, "-m", "venv", "--without-pip", str(prefix))
        lock = str(ROOT / "requirements" / "agent.lock")
        done = step(*install, "--require-hashes", "--only-binary", ":all:", "-r", lock, check=False)
        if "No matching distribution" in done or "Failed to establish" in done:
            pytest.skip("the agent's wheels are not to be had: no package index")
        wheels = str(Path(folder) / "wheels")
        step(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, str(ROOT))
        (wheel,) = Path(wheels).glob("kubesonar-*.whl")
        step(*install, str(wheel))
        step(sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(prefix))
        yield prefix


@pytest.fixture(scope="module")
def collector(image: Path) -> Iterator[Path]:
    """The image with what the collector's has more."""
    with tempfile.TemporaryDirectory(prefix="kubesonar-collector-") as folder:
        Path(folder).chmod(0o755)
        prefix = Path(folder) / "image"
        shutil.copytree(image, prefix, symlinks=True)
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
        install = (*pip, "--python", str(prefix / "bin" / "python"), "install", "--no-deps", "--no-compile")
        step(
            *install, "--require-hashes", "--only-binary", ":all:", "-r", str(ROOT / "requirements" / "collector.lock")
        )
        yield prefix


def step(*words: str, check: bool = True) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300, cwd=ROOT)
    assert not check or done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def run(image: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """As the entry point does, for a user without a name or a home, in a folder where nobody may write. That user may
    read all files, because the interpreter of a test can be in another's home."""
    command = (str(image / "bin" / "python"), "-I", "-B", *words)
    if os.geteuid() == 0 and shutil.which("setpriv"):
        caps = ("--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search")
        who = (f"--reuid={SOMEBODY}", f"--regid={SOMEBODY}", "--clear-groups")
        command = ("setpriv", *who, *caps, *command)
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, env={"PATH": "/usr/bin:/bin"}, cwd="/proc"
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("version",), "kubesonar 0."),
        (("agent", "--help"), "--member.name"),
        (("kubenurse", "--help"), "KUBENURSE_INGRESS_URL"),
        (("keys", "make"), "1 "),
        (("config", "show"), "member:"),
    ],
)
def test_commands_run_for_anybody_from_what_the_lock_holds(image: Path, words: tuple[str, ...], says: str) -> None:
    done = run(image, "-m", "kubesonar", *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert says in done.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("collector", "--help"), "--store.etcd.endpoints"),
        (("check", "--help"), "KUBESONAR_COLLECTOR"),
        (("map", "--help"), "--once"),
        (("history", "--help"), "--since"),
        (("explain", "--help"), "FINDING"),
    ],
)
def test_the_collector_s_image_has_the_commands_for_people(collector: Path, words: tuple[str, ...], says: str) -> None:
    done = run(collector, "-m", "kubesonar", *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert says in done.stdout


def test_the_collector_s_image_verifies_tokens_itself(collector: Path) -> None:
    assert run(collector, "-c", "import kubesonar.reports.auth.service_account").returncode == 0


def test_the_page_of_a_coordinator_that_judges_is_in_the_agents_image(image: Path) -> None:
    done = run(image, "-c", "import kubesonar.api.page, kubesonar.apps.collector.of_coordinator")
    assert (done.returncode, done.stderr) == (0, "")


def test_agents_have_nothing_that_only_the_collector_needs(image: Path) -> None:
    for module in ("cryptography", "pydantic", "typing_extensions", "rich"):
        assert "ModuleNotFoundError" in run(image, "-c", f"import {module}").stderr


def test_everything_is_compiled_and_never_compared_with_its_source(image: Path) -> None:
    packages = next(image.glob("lib/python3.*/site-packages"))
    sources = [path for path in packages.rglob("*.py") if "conftest" not in path.name]
    assert len(sources) > 100
    for source in sources:
        (compiled,) = source.parent.glob(f"__pycache__/{source.stem}.*.pyc")
        with compiled.open("rb") as file:
            assert int.from_bytes(file.read(8)[4:], "little") == 0b01  # PEP 552: by hash, unchecked


def compressed(image: Path, without: Path | None = None) -> float:
    """MiB of what is installed, or of what is not installed in the image `without` too."""
    installed = next(image.glob("lib/python3.*/site-packages"))
    there = {path.name for path in next(without.glob("lib/python3.*/site-packages")).iterdir()} if without else set()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=6) as layer:
        for package in installed.iterdir():
            if package.name not in there:
                layer.add(package, package.name)
    return len(buffer.getvalue()) / 2**20


def test_what_we_add_leaves_room_below_the_limit(image: Path) -> None:
    ours = compressed(image)
    assert BASE + STDLIB + ours <= LIMIT, f"{ours:.1f} MiB of ours"


def test_what_the_collector_s_image_has_more_is_no_more_than_the_page_says(image: Path, collector: Path) -> None:
    more = compressed(collector, without=image)
    assert more <= MORE, f"{more:.1f} MiB"
