"""How files and names are laid out: what a reader may rely on to find things without searching.

Private attributes, mocks and arrows between rooms are checked by scripts/check.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
PACKAGE = ROOT / "src" / "kubesonar"
FOLDERS = sorted({file.parent for file in PACKAGE.rglob("*.py")})

SUITES = {
    "bench": "what measurements compute with",
    "compat/kubenurse/checks/test_proxies.py": "kubenurse's client through the proxies of net/",
    "deploy": "the chart, the image and the monitoring, which are no modules",
    "docs": "pages written by hand, and the commands in them",
    "e2e": "the API client against a real cluster or its double",
    "scenarios": "labs and meshes of real agents",
    "sim/test_networks.py": "virtual clusters in two networks",
    "sim/test_restart.py": "virtual clusters of which all agents restart",
    "api/page/test_browser.py": "the page in a browser",
    "test_conftest.py": "the hooks and helpers of all tests",
    "test_house.py": "this file",
    "test_readers.py": "everything that reads bytes from outside",
}
"""Tests of more than one module: a folder or a file, and what it tests."""

TESTED_WITH = {
    "api/collector_operations.py": "apps/test_collector.py",
    "apps/collector": "apps/test_collector.py",
    "apps/dns": "apps/dns/test_check.py",
    "apps/kubectl": "apps/kubectl/test_commands.py",
    "apps/lab": "apps/test_lab.py",
    "compat/kubenurse": "compat/kubenurse/test_program.py",
    "compat/netchecker/server": "compat/netchecker/server/test_room.py",
    "config/json_schema.py": "deploy/test_chart_values.py",
    "core/diagnosis": "core/diagnosis/test_findings.py",
    "core/dns_check": "core/dns_check/test_verdict.py",
    "core/membership/announcing": "core/membership/announcing/test_announcer.py",
    "core/membership/election": "core/membership/election/test_election.py",
    "core/remedy": "core/remedy/test_remedy.py",
    "core/telemetry/reports": "core/telemetry/reports/test_mirrors.py",
    "doctor": "doctor/test_look.py",
    "kube/streaming/channels.py": "kube/streaming/test_exec.py",
    "lab": "lab/test_world.py",
    "net/http/response_head.py": "net/http/test_response_reader.py",
    "net/icmp/echo_socket.py": "net/icmp/test_pinger.py",
    "probes/attempt.py": "probes/http/test_http.py",
    "sim": "sim/test_playing.py",
    "stores": "stores/conformance.py",
    "views": "views/terminal/test_map.py",
    "web/reply_writer.py": "web/test_connection.py",
    "web/request_reader.py": "web/test_connection.py",
}
"""Modules, or all those of a folder without a test of their own, that are parts of one thing, and the file that tests
it through its front."""

LOGIC = 15
"""Branches, loops and clauses from which on a module has a test of its own name. Less, and parts of three lines need
one; more, and the test of a module is searched for."""

BRANCHING = (
    ast.If,
    ast.IfExp,
    ast.For,
    ast.While,
    ast.Try,
    ast.With,
    ast.AsyncFor,
    ast.AsyncWith,
    ast.BoolOp,
    ast.Match,
    ast.comprehension,
)

MANY = 15
"""Most modules in a folder, with its __init__: a folder of more holds several subjects."""

OF_MANY = {"main", "parse"}
"""Public names that several modules may define: each program has a `main`, each format a `parse`."""


def test_a_test_has_the_place_and_name_of_the_module_that_it_tests() -> None:
    modules = {file.relative_to(PACKAGE) for file in PACKAGE.rglob("*.py")}
    tests = (file.relative_to(TESTS) for file in TESTS.rglob("test_*.py"))
    found = {
        str(test)
        for test in tests
        if not {str(test), *map(str, test.parents)} & SUITES.keys() and not set(_tested(test)) & modules
    }
    assert found == set()


def test_a_module_with_logic_has_a_test_of_its_name() -> None:
    found = {str(module) for module in _untested() if not {str(module), *map(str, module.parents)} & TESTED_WITH.keys()}
    assert found == set()


@pytest.mark.parametrize("place", TESTED_WITH)
def test_a_part_that_another_file_tests_is_there_and_has_no_test_of_its_own(place: str) -> None:
    assert (TESTS / TESTED_WITH[place]).exists()
    assert [module for module in _untested() if place in {str(module), *map(str, module.parents)}]


@pytest.mark.parametrize("suite", SUITES)
def test_suites_that_are_named_are_there(suite: str) -> None:
    assert (TESTS / suite).exists()


def test_a_folder_holds_one_subject() -> None:
    counts = {folder: len([*folder.glob("*.py")]) for folder in FOLDERS}
    assert {f"{_name(folder)}: {count} modules" for folder, count in counts.items() if count > MANY} == set()


def test_every_folder_says_in_three_sentences_what_it_is_for() -> None:
    found = {_name(folder) for folder in FOLDERS if len(re.findall(r"\.(?=\s|$)", _docstring(folder))) < 3}
    assert found == set()


def test_a_public_name_is_defined_once() -> None:
    places = defaultdict(list)
    for file in sorted(PACKAGE.rglob("*.py")):
        for name in _public(_tree(file)):
            places[name].append(_name(file))
    found = {f"{name}: {', '.join(where)}" for name, where in places.items() if len(where) > 1 and name not in OF_MANY}
    assert found == set()


def test_what_is_ours_is_imported_by_its_own_name_from_the_top() -> None:
    assert {said for file in PACKAGE.rglob("*.py") for said in _renamed(file)} == set()


RELATIVE = {"What", "Who", "Whom", "Whose", "How", "Why", "Where", "When", "Which"}
"""Words by which a docstring must not open: help() shows it without what it is about."""

NOT_YET = {
    PACKAGE / "core" / "diagnosis" / "inference" / "background.py",
    PACKAGE / "core" / "diagnosis" / "joining" / "past_loss.py",
    PACKAGE / "core" / "diagnosis" / "localization" / "acceptance.py",
    PACKAGE / "core" / "diagnosis" / "localization" / "search.py",
}
"""The files in which some still do."""


def test_docstrings_open_with_their_subject() -> None:
    found = {
        f"{_name(file)}: {text.splitlines()[0]}"
        for file in PACKAGE.rglob("*.py")
        if file not in NOT_YET
        for text in _docstrings(_tree(file))
        if text.partition(" ")[0] in RELATIVE
    }
    assert found == set()


DECODERS = {
    "src/kubesonar/core/decoding.py": "JSON, MessagePack and plain data",
    "src/kubesonar/config/yamltext.py": "YAML",
    "src/kubesonar/apps/agent/options.py": "only copies options that were read into others",
}
"""Where foreign data are decoded, each of the first two with one exception for all that does not fit."""

DECODING = re.compile(
    r"msgspec\.((json|msgpack|yaml|toml)\.(decode|Decoder)|convert)|yaml\.(\w*load\w*|parse|compose)|(json|pickle|marshal|"
    r"tomllib|plistlib)\.loads?|(msgspec\.)?(DecodeError|ValidationError|MsgspecError)|\w+\.JSONDecodeError"
)


def test_foreign_data_are_decoded_in_one_place() -> None:
    found = {
        f"{_name(file)}: {name}"
        for file in PACKAGE.rglob("*.py")
        if _name(file) not in DECODERS
        for name in _dotted(file)
        if DECODING.fullmatch(name)
    }
    assert found == set()


def test_json_is_written_in_one_place() -> None:
    found = {
        f"{_name(file)}: {name}"
        for file in PACKAGE.rglob("*.py")
        if _name(file) != "src/kubesonar/core/encoding.py"
        for name in _dotted(file)
        if re.fullmatch(r"msgspec\.json\.(encode|Encoder)|json\.dumps?", name)
    }
    assert found == set()


def test_patterns_end_where_the_text_ends() -> None:
    """`$` would let a line break follow."""
    found = {
        f"{_name(file)}: {text}"
        for file in PACKAGE.rglob("*.py")
        for text in _patterns(_tree(file))
        if re.search(r"(?<!\\)\$\)*$", text)
    }
    assert found == set()


def test_tests_import_nothing_of_measurements() -> None:
    others = (file for file in TESTS.rglob("*.py") if "bench" not in file.parent.parts)
    found = {_name(file) for file in others if re.search(r"^\s*(from|import) bench\b", file.read_text(), re.MULTILINE)}
    assert found == set()


@cache
def _untested() -> list[Path]:
    """The modules with logic of which no test has the name."""
    tested = {module for file in TESTS.rglob("test_*.py") for module in _tested(file.relative_to(TESTS))}
    files = [
        file
        for file in PACKAGE.rglob("*.py")
        if sum(isinstance(node, BRANCHING) for node in ast.walk(_tree(file))) >= LOGIC
    ]
    return [file.relative_to(PACKAGE) for file in files if file.relative_to(PACKAGE) not in tested]


def _tested(test: Path) -> Iterator[Path]:
    name = test.name.removeprefix("test_")
    yield test.with_name(name)
    yield test.with_name(name.removesuffix(".py")) / "__init__.py"


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def _docstring(folder: Path) -> str:
    file = folder / "__init__.py"
    return (ast.get_docstring(_tree(file)) or "") if file.exists() else ""


def _docstrings(module: ast.Module) -> Iterator[str]:
    """Those of modules, classes, functions and constants, without the blanks before them."""
    for node in ast.walk(module):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value.strip()


def _public(module: ast.Module) -> Iterator[str]:
    """Classes, functions and constants of a module; type variables, which are used where they are defined, are none."""
    for node in module.body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names = [name]
            case ast.Assign(value=ast.Call(func=ast.Name(id="TypeVar"))):
                names = []
            case ast.Assign(targets=targets):
                names = [target.id for target in targets if isinstance(target, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name)):
                names = [name]
            case _:
                names = []
        yield from (name for name in names if not name.startswith("_"))


def _renamed(file: Path) -> Iterator[str]:
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.ImportFrom | ast.Import):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            if isinstance(node, ast.ImportFrom) and node.level:
                yield f"{_name(file)}: relative"
            for alias in node.names:
                if alias.asname and (module or alias.name).startswith("kubesonar"):
                    yield f"{_name(file)}: {alias.name} as {alias.asname}"


@cache
def _dotted(file: Path) -> list[str]:
    """Names and attributes of names, as they are written."""
    return [said for node in ast.walk(_tree(file)) if (said := _written(node))]


def _written(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    owner = _written(node.value) if isinstance(node, ast.Attribute) else ""
    return f"{owner}.{node.attr}" if isinstance(node, ast.Attribute) and owner else ""


def _patterns(tree: ast.Module) -> Iterator[str]:
    """Regular expressions that are given to functions of `re` and as `pattern=`."""
    for call in ast.walk(tree):
        if isinstance(call, ast.Call):
            given = [keyword.value for keyword in call.keywords if keyword.arg == "pattern"]
            if isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "re":
                given += call.args[:1]
            yield from (str(one.value) for one in given if isinstance(one, ast.Constant))
