"""Windows in which nothing is wrong: played in blocks that are not played again, and a page of all."""

from __future__ import annotations

from pathlib import Path

from bench.diagnosis.windows import USUAL, Block, Usual, load, page, play, wanted

SMALL = Usual(2, 0.0)


def test_a_block_is_played_and_read_again(tmp_path: Path) -> None:
    played = play(Block(SMALL, 1, 2))
    assert (played.windows, played.told) == (2, ())
    assert load(tmp_path / "none.jsonl") == []


def test_rounds_are_of_all_kinds_in_turn() -> None:
    blocks = list(wanted(range(1, 3), USUAL))
    assert [block.usual for block in blocks] == [*USUAL, *USUAL]
    assert len({(block.usual, block.seed) for block in blocks}) == len(blocks)


def test_the_page_counts_windows_with_findings_and_says_what_they_said() -> None:
    told = ((3, ("node-1 loses 0.6 %",)), (7, ("node-1 loses 0.6 %", "and more")))
    blocks = [Block(Usual(3, 1e-3), 1, 250, told, 5.0, "abc"), Block(Usual(3, 1e-3), 2, 250, (), 5.0, "abc")]
    lines = page([*blocks, Block(Usual(2, 0.0, bursts=True), 1, 500, (), 1.0, "abd")]).splitlines()
    assert "Commits abc, abd." in lines
    assert "| 2 | 0 %, bursts | 500 | 0 | 599 | 1 to 1 | 2 |" in lines
    assert "| 3 | 0.1 % | 500 | 2 | 1,259 | 1 to 2 | 20 |" in lines
    assert any(line.startswith("| all | | 1,000 | 2 | 630 |") for line in lines)
    assert "- 2 times: node-1 loses 0.6 %" in lines
