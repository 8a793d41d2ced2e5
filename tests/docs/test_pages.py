"""Pages written by hand keep up with the tables they describe."""

import re
from pathlib import Path

import pytest

from kubesonar.core.diagnosis.inference import persistence, slow_links, suspects, trial_model, two_rates
from kubesonar.core.diagnosis.localization import acceptance, search
from kubesonar.core.diagnosis.parts.node_parts import STARVED
from kubesonar.core.diagnosis.parts.table import NAMES, PARTS
from kubesonar.lab.faults import VERBS
from kubesonar.model import Fault, Kind
from kubesonar.views.page.runbooks import RUNBOOKS, runbook_link

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    page.relative_to(ROOT)
    for folder in ("docs", "bench", "charts", "deploy", "src", "tests")
    for page in (ROOT / folder).rglob("*.md")
) + [page.relative_to(ROOT) for page in sorted(ROOT.glob("*.md"))]


@pytest.mark.parametrize("name", NAMES)
def test_every_part_is_in_the_page_on_diagnosis(name: str) -> None:
    assert f"`{name}`" in (DOCS / "diagnosis.md").read_text()


def test_every_fault_of_the_lab_is_in_its_page_with_its_part() -> None:
    text = (DOCS / "lab.md").read_text()
    for verb in VERBS:
        assert f"`{verb.name}" in text or f"{verb.name} NODE`" in text
        assert not verb.row or f"`{verb.row}`" in text


def test_every_part_has_a_runbook_that_is_there() -> None:
    assert [name for name in NAMES if runbook_link(name) is None] == []
    assert [name for name in RUNBOOKS if not (DOCS / "runbooks" / f"{name}.md").exists()] == []
    assert sorted(part for parts in RUNBOOKS.values() for part in parts) == sorted(NAMES)


def test_every_kind_and_fault_is_in_the_page_on_probes() -> None:
    text = (DOCS / "probes.md").read_text()
    words = [word for word in (*Kind, *Fault) if word not in (Kind.OTHER, Fault.OTHER)]
    assert [word for word in words if f"`{word}`" not in text] == []


def test_the_thresholds_of_the_search_are_in_their_page() -> None:
    text = (DOCS / "thresholds.md").read_text()
    penalties = [row.penalty for row in PARTS]
    for row in (
        f"| {acceptance.MIN_GAIN:.0f} nats (`MIN_GAIN`) |",
        f"| {search.LOUD:.0f} nats (`LOUD`) |",
        f"| {min(penalties):.0f} to {max(penalties):.0f} nats (`penalty`) |",
        f"| {suspects.CLEAR:.0f} nats (`CLEAR`) |",
        f"| {two_rates.EXTRA_RATE:.0f} nats (`EXTRA_RATE`) |",
        f"| {persistence.SLOT} s (`SLOT`) |",
        f"| {persistence.BURST:.0f} s (`BURST`) |",
        f"| {persistence.BURSTS} bursts (`BURSTS`) |",
        f"| {persistence.LONG_BURST:.0f} s (`LONG_BURST`) |",
        f"| {trial_model.BURST_SHARE} (`BURST_SHARE`) |",
        f"| {STARVED:.0f} s (`STARVED`) |",
        f"| {slow_links.SLOW / 1e6:.0f} Mbit/s (`SLOW`) |",
    ):
        assert row in text


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"(?<!\\)\]\(([^)#\s]*)(?:#([^)\s]+))?\)", _prose(ROOT / page)):
        if target.startswith("https://"):
            continue
        there = (ROOT / page).parent / target if target else ROOT / page
        assert there.exists(), target
        assert not anchor or anchor in _anchors(there), (target, anchor)


def _prose(page: Path) -> str:
    """Without code, which has brackets of its own."""
    return re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)


def _anchors(page: Path) -> list[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def test_the_values_on_their_way_pass_files_that_are_there_and_as_many_as_is_said() -> None:
    """A file without its folder is in that of the one before it, or in one around that."""
    rows = re.findall(r"^\|([^|]+)\| (\d+) \|([^|]+)\|$", (DOCS / "architecture.md").read_text(), re.MULTILINE)
    assert len(rows) == 3
    for value, count, way in rows:
        files: list[Path] = []
        for name in re.findall(r"`([^`]+)`", way):
            folders = [ROOT / "src" / "kubesonar", *(files[-1].parents if files else ())]
            files.append(next(file for folder in folders if (file := folder / f"{name}.py").exists()))
        assert len(set(files)) == int(count), value


def test_decisions_are_numbered_one_by_one() -> None:
    pages = sorted((ROOT / "docs/decisions").glob("0*.md"))
    assert [page.name[:4] for page in pages] == [f"{number:04}" for number in range(1, len(pages) + 1)]
    assert [page.read_text().split()[1] for page in pages] == [f"{number}." for number in range(1, len(pages) + 1)]
