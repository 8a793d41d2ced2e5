"""Makes docs/values.md from the chart's values.schema.json and values.yaml."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
CHART = ROOT / "charts" / "kubesonar"
PAGE = ROOT / "docs" / "values.md"
OLD = "kubenurse: "

HEAD = """# Values of the chart

Made from `charts/kubesonar/values.schema.json` by `scripts/render`; do not edit. [How to install](install.md).
A value that is not in these tables, or of another type, is refused by Helm.
"""
OLDER = """
## kubenurse's values

What its chart knew and ours has no word for. One of them is enough to have kubenurse's listener, names and labels
(`kubenurse.enabled: auto`). In brackets the default, which is its chart's. Values that both charts have are above.
"""
TABLE = "\n| value | default | meaning |\n|---|---|---|\n"


def rows(schema: dict[str, Any], defaults: Any, path: str = "", older: bool = False) -> Iterator[tuple[bool, str]]:
    """Pairs of whether a value is only the older chart's, and its row."""
    for key, sub in schema["properties"].items():
        at = f"{path}.{key}" if path else key
        said = sub.get("description", "")
        old = older or said.startswith(OLD)
        given = defaults.get(key) if isinstance(defaults, dict) else None
        section = sub.get("additionalProperties") is False and "properties" in sub
        if at == "global":
            continue
        known = isinstance(defaults, dict) and key in defaults and not section
        default = f"`{json.dumps(given, separators=(', ', ': '))}`" if known else ""
        meaning = said.removeprefix(OLD).replace("|", "\\|")
        yield old, f"| `{at}` | {default} | {meaning} |"
        if section and sub["properties"].keys() - {"repository", "tag"}:
            yield from rows(sub, given, at, old)


def page() -> str:
    """The whole page."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    found = list(rows(schema, defaults))
    new = "\n".join(row for old, row in found if not old)
    older = "\n".join(row for old, row in found if old)
    return f"{HEAD}{TABLE}{new}\n{OLDER}{TABLE}{older}\n"


if __name__ == "__main__":
    PAGE.write_text(page())
