"""Draws views of a page in Chromium: `page_screenshots.py ADDRESS FOLDER` writes FOLDER/page-*.png."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
WIDTH, HEIGHT = 1280, 800


def main(address: str, folder: Path) -> None:
    """Draw the first view, the map in dark colours, the first incident, and the timeline."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        for scheme, views in (("light", ("now", "incident", "timeline?hours=1")), ("dark", ("map",))):
            page = browser.new_context(color_scheme=scheme, viewport={"width": WIDTH, "height": HEIGHT}).new_page()
            for view in views:
                page.goto(address + (view if view != "incident" else "now"))
                if view == "incident":
                    page.locator(".incident.open a").last.click()
                page.wait_for_selector("text=Live.")
                if view == "map":
                    page.locator("td.l").first.hover()
                name = view.partition("?")[0]
                page.screenshot(path=folder / f"page-{name}.png", full_page=True)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
