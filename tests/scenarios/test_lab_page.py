"""A lab's page in a browser: what is broken appears, and goes when it is mended."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.chromium import browser, opened
from tests.lab.inside import in_namespaces, needs_nft
from tests.scenarios.running_lab import RunningLab, await_good

__all__ = ["browser"]

LONG = 60_000
"""Milliseconds that a fault may take to be told on a busy machine; a few seconds on a calm one."""

pytestmark = [pytest.mark.lab, needs_nft]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    in_namespaces(lambda: None)  # skips where there are none
    with RunningLab(tmp_path_factory.mktemp("l"), nodes=3, collectors=1) as running:
        await_good(running)
        yield running


def test_faults_appear_in_every_view_and_go_again(lab: RunningLab, browser: Browser) -> None:
    with opened(browser) as page, opened(browser) as beside:
        page.goto(lab.page)
        beside.goto(f"{lab.page}map")
        expect(page.locator(".hero .state")).to_have_text("Healthy", timeout=LONG)
        expect(page.locator("#link")).to_have_text("Live.")
        lab.order("podnet node-2")
        lab.order("dns dns-1 udp")
        lab.order("state node-3 draining")
        opened_incidents = page.locator(".incident.open")
        expect(opened_incidents.filter(has_text="the pod network of node-2 is cut off")).to_have_count(1, timeout=LONG)
        expect(opened_incidents.filter(has_text="dns-1")).to_have_count(1, timeout=LONG)
        expect(page.locator(".hero .state")).to_have_text("Sick")
        expect(page.locator("section", has=page.locator("#excused-h")).last).to_contain_text("node-3")
        dead = beside.locator("#map-pod td.d[title^='node-1 → node-2']")
        expect(dead).to_have_count(1, timeout=LONG)
        expect(beside.locator("#map-host td.e[title^='node-1 → node-3']")).to_have_count(1, timeout=LONG)

        opened_incidents.filter(has_text="the pod network of node-2").get_by_role("link").focus()
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_contain_text("the pod network of node-2 is cut off")
        expect(page.locator(".changes")).to_contain_text("opened")
        expect(page.locator("pre")).to_contain_text("kubectl debug")
        page.goto(f"{lab.page}dns")
        expect(page.get_by_role("row").filter(has_text="A udp").filter(has_text="dns-1")).to_contain_text("fails")
        page.goto(f"{lab.page}timeline?hours=1")
        expect(page.locator(".bar.change")).to_have_count(1)
        page.goto(f"{lab.page}now")

        lab.order("clear")
        expect(page.locator(".hero .state")).to_have_text("Healthy", timeout=LONG)
        expect(opened_incidents).to_have_count(0, timeout=LONG)
        expect(page.locator(".incident").filter(has_text="the pod network of node-2")).to_have_count(1)
        expect(dead).to_have_count(0, timeout=LONG)
