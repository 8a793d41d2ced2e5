from __future__ import annotations

import pytest
import yaml

from kubesonar.apps.support.redaction import REMOVED, redacted


@pytest.mark.parametrize(
    "key", ["token", "tokens", "bot_token", "password", "Password", "client-secret", "secret", "apikey", "api_key"]
)
def test_values_of_secrets_are_removed(key: str) -> None:
    assert yaml.safe_load(redacted(f"a: [{{{key}: xyzzy, other: 1}}]")) == {"a": [{key: REMOVED, "other": 1}]}
    assert "xyzzy" not in redacted(f'{{"{key}": ["xyzzy"]}}')


@pytest.mark.parametrize("key", ["token_file", "secret_file", "keys", "secretName", "tokens_left", "schedule"])
def test_others_stay(key: str) -> None:
    assert yaml.safe_load(redacted(f"{key}: abc")) == {key: "abc"}


def test_urls_lose_what_only_their_owner_knows() -> None:
    tree = {
        "notify": {"receivers": [{"name": "a", "url": "https://user:pass@hooks.example/services/T0/B0?x=1#f"}]},
        "targets": [{"request": "https://user:pass@registry.example/v2/"}],
    }
    clean = yaml.safe_load(redacted(yaml.safe_dump(tree)))
    assert clean["notify"]["receivers"] == [{"name": "a", "url": f"https://***@hooks.example/{REMOVED}"}]
    assert clean["targets"] == [{"request": "https://***@registry.example/v2/"}]


@pytest.mark.parametrize("text", ["{", "a: *b", "a: 1\na: 2", "\x00"])
def test_what_is_no_document_is_removed_whole(text: str) -> None:
    assert redacted(text) == f"{REMOVED}\n"
