"""The page in a browser: by keyboard alone, on small and large screens, readable, kept in by its policy, and for
those who have the token."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from kubesonar.api.page import page_routes
from kubesonar.api.page.access import TOKEN_COOKIE
from kubesonar.model import Kind, State
from kubesonar.web import (
    Anonymous,
    Authenticator,
    BearerToken,
    Listener,
    ListenOptions,
    Reply,
    Request,
    Route,
    Router,
    Server,
)
from tests.chromium import browser, closing, opened
from tests.core.mesh import Mesh
from tests.views.page.source import UTC, MeshSource

__all__ = ["browser"]

SLOW = dict.fromkeys((Kind.UDP, Kind.TCP, Kind.HTTP, Kind.ICMP, Kind.MTU, Kind.DNS), 6.0)
VIEWS = ("now", "map", "timeline", "nodes", "nodes/node-2", "dns", "targets", "targets/dns-1", "incidents/{id}")


class Site(NamedTuple):
    """Where pages are: of a small mesh with faults, of a large one, and of the small one behind a token."""

    small: str
    large: str
    guarded: str
    source: MeshSource

    def view(self, path: str) -> str:
        (record, *_) = self.source.incidents()
        return self.small + path.format(id=record.id)


async def events(request: Request) -> Reply:
    async def said() -> AsyncGenerator[bytes, None]:
        for _ in range(100):
            yield b"event: verdict\ndata: {}\n\n"
            await asyncio.sleep(0.5)

    return Reply(said(), "text/event-stream")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    token = tmp_path_factory.mktemp("page") / "token"
    token.write_text("word\n")
    mesh = Mesh(nodes=5, states={"node-5-pod": (State.DRAINING, "by ops")}).cut("node-4").drop("node-1", "node-2", 0.4)
    small = MeshSource(mesh, silent="node-4")
    large = MeshSource(Mesh(nodes=70, neighbours=3, period=SLOW, plain=()).cut("node-7"), 14.0)
    guard = BearerToken(str(token), cookie=TOKEN_COOKIE)
    served: list[tuple[MeshSource, Authenticator]] = [(small, Anonymous()), (large, Anonymous()), (small, guard)]
    loop, started, stop = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    addresses: list[str] = []

    async def serve() -> None:
        routers = [
            Router({**page_routes(source, reader, UTC), "/api/v1/events": Route(events, "")}, reader)
            for source, reader in served
        ]
        server = Server([Listener(ListenOptions(address="127.0.0.1:0"), router) for router in routers])
        await server.start()
        addresses.extend(f"http://127.0.0.1:{address[1]}/" for address in server.addresses)
        started.set()
        await stop.wait()
        await server.stop(0)

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert started.wait(30)
    first, second, third = addresses
    yield Site(first, second, third, small)
    loop.call_soon_threadsafe(stop.set)
    thread.join(30)
    loop.close()


def focused(page: Page) -> str:
    """What the element that has the keyboard says."""
    return str(page.evaluate("document.activeElement.textContent.trim()"))


def tab_to(page: Page, text: str, most: int = 60) -> None:
    for _ in range(most):
        page.keyboard.press("Tab")
        if focused(page) == text:
            return
    raise AssertionError(f"Tab does not lead to {text!r}")


def test_by_keyboard_alone_everything_is_reached_and_told(browser: Browser, site: Site) -> None:
    with opened(browser) as page:
        page.goto(site.view("now"))
        page.keyboard.press("Tab")
        assert focused(page) == "Skip to content"
        tab_to(page, "Map")
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("Map")
        cell = page.locator("#map-pod td[tabindex='0']")
        for _ in range(60):
            page.keyboard.press("Tab")
            if cell.evaluate("one => one === document.activeElement"):
                break
        expect(page.locator("#detail")).to_contain_text("node-1 → node-2: ")
        expect(page.locator("#detail")).to_contain_text("lost")
        page.keyboard.press("ArrowRight")
        expect(page.locator("#detail")).to_contain_text("node-1 → node-3: well")
        page.keyboard.press("ArrowDown")
        expect(page.locator("#detail")).to_contain_text("node-2 → node-3: well")
        before = page.evaluate("document.activeElement.title")
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        page.wait_for_function("() => document.activeElement.title", timeout=10_000)
        assert str(page.evaluate("document.activeElement.title")).startswith(str(before)[:16])


@pytest.mark.parametrize("width", [360, 1920])
def test_no_view_is_wider_than_the_screen(browser: Browser, site: Site, width: int) -> None:
    with opened(browser, viewport={"width": width, "height": 800}) as page:
        for address in [*map(site.view, VIEWS), site.large + "map?zone=a"]:
            page.goto(address)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, address


CONTRASTS = """() => {
  const light = (c) => {
    const linear = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = c.slice(0, 3).map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const colour = (text) => text.match(/[\\d.]+/g).map(Number);
  const behind = (one) => {
    for (; one; one = one.parentElement) {
      const found = colour(getComputedStyle(one).backgroundColor);
      if (found.length < 4 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const one of document.querySelectorAll("body *")) {
    const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || one.closest("svg, .unseen, .skip") || !one.offsetParent) continue;
    const [a, b] = [light(colour(getComputedStyle(one).color)), light(behind(one))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const what = `${one.localName}.${one.className} ${one.textContent.trim().slice(0, 20)}`;
    if (ratio < 4.5) poor.push(`${what}: ${ratio.toFixed(2)}`);
  }
  return poor;
}"""
"""Texts whose contrast is below that of WCAG 2.1, level AA (1.4.3)."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_are_readable_on_what_is_behind_them(browser: Browser, site: Site, scheme: str) -> None:
    with opened(browser, color_scheme=scheme) as page:
        for address in [*map(site.view, VIEWS), site.large + "map?zone=a"]:
            page.goto(address)
            assert page.evaluate(CONTRASTS) == [], address


def test_parts_have_names_for_screen_readers(browser: Browser, site: Site) -> None:
    with opened(browser) as page:
        page.goto(site.view("now"))
        for role in ("banner", "navigation", "main", "contentinfo", "status"):
            expect(page.get_by_role(role).first).to_be_attached()
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        expect(page.get_by_role("link", name="Now")).to_have_attribute("aria-current", "page")
        page.goto(site.view("map"))
        expect(page.get_by_role("rowheader", name="node-1").first).to_be_visible()
        expect(page.get_by_role("columnheader", name="node-2").first).to_be_visible()
        page.goto(site.view("incidents/{id}"))
        drawn = re.compile(r"(lost|round trip) of .* from .* to ")
        expect(page.get_by_role("img").first).to_have_accessible_name(drawn)


def test_what_others_could_write_into_a_page_does_not_run(browser: Browser, site: Site) -> None:
    inline = """() => {
      const script = document.createElement("script");
      script.textContent = "window.ran = true";
      document.body.append(script);
      const painted = document.createElement("p");
      painted.setAttribute("style", "color: rgb(1, 2, 3)");
      document.body.append(painted);
      return [window.ran === undefined, getComputedStyle(painted).color !== "rgb(1, 2, 3)"];
    }"""
    with closing(browser.new_context()) as context:
        page = context.new_page()
        page.goto(site.view("now"))
        assert page.evaluate(inline) == [True, True]


def test_without_script_it_is_a_still(browser: Browser, site: Site) -> None:
    with opened(browser, java_script_enabled=False) as page:
        page.goto(site.view("map"))
        expect(page.locator("#map-pod td.d").first).to_have_text("\N{MULTIPLICATION SIGN}")
        expect(page.locator("#link")).to_have_text("A still: reload to see what is new.")
        page.get_by_role("link", name="Text").click()
        expect(page.locator("body")).to_contain_text("pod network: 5 members")


def test_changes_are_shown_without_a_reload_and_so_is_that_nothing_answers(browser: Browser, site: Site) -> None:
    with closing(browser.new_context()) as context:
        page = context.new_page()
        page.goto(site.view("now"))
        expect(page.locator("#link")).to_have_text("Live.")
        before = site.source.said
        assert before is not None
        site.source.said = msgspec.structs.replace(before, sentence="another sentence")
        try:
            expect(page.locator("#sentence")).to_have_text("another sentence", timeout=15_000)
            expect(page.locator("#announce")).to_have_text("another sentence")
        finally:
            site.source.said = before
        page.route("**/now", lambda route: route.abort())
        expect(page.locator("#link")).to_contain_text("No answer since", timeout=15_000)


def test_a_view_is_copied_as_text(browser: Browser, site: Site) -> None:
    with opened(browser, permissions=["clipboard-read", "clipboard-write"]) as page:
        page.goto(site.view("now"))
        page.get_by_role("button", name="Copy as text").click()
        expect(page.locator("#copy")).to_have_text("Copied")
        assert str(page.evaluate("navigator.clipboard.readText()")).startswith("Sick: ")


def test_the_token_is_asked_for_once_and_scripts_cannot_read_it(browser: Browser, site: Site, tmp_path: Path) -> None:
    with closing(browser.new_context()) as context:
        page = context.new_page()
        page.goto(site.guarded + "timeline?hours=6")
        page.get_by_label("Token for reading").fill("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("This token is not in force.")
        page.get_by_label("Token for reading").fill("word")
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("Timeline")
        assert page.url.endswith("/timeline?hours=6")
        assert page.evaluate("document.cookie") == ""
        page.goto(site.guarded.replace("127.0.0.1", "localhost") + "now")  # to a browser another site
        page.evaluate("address => (location.href = address)", site.guarded + "now")
        expect(page.locator("#sentence")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("Token for reading")).to_be_visible()
