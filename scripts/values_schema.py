"""Puts the schemas of the agent's and the collector's configuration into the chart's values.schema.json, so that Helm
refuses what they would: a name that is misspelt under `config` or `collector.config`, a value of another type."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kubesonar.apps.agent.options import AgentOptions
from kubesonar.apps.collector.options import CollectorOptions
from kubesonar.config.json_schema import json_schema

SCHEMA = Path(__file__).parents[1] / "charts" / "kubesonar" / "values.schema.json"


def text() -> str:
    """The whole file."""
    tree: dict[str, Any] = json.loads(SCHEMA.read_text())
    config = json_schema(AgentOptions)
    member = config["properties"]["member"]["properties"]
    member.update({key: {} for key in member if key != "zone"})  # the chart's to set, as its templates say
    tree["definitions"] = {"config": config, "collector_config": json_schema(CollectorOptions)}
    values = tree["properties"]
    sections = ((tree, "config"), (values["hostNetwork"], "config"), (values["collector"], "collector_config"))
    for section, name in sections:
        said = section["properties"]["config"]["description"]
        section["properties"]["config"] = {"description": said, "allOf": [{"$ref": f"#/definitions/{name}"}]}
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(text())
