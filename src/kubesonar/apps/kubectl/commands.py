"""The commands of `kubectl sonar`: each reaches the installation and then runs what `kubesonar` runs."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, NamedTuple

import typer
import yaml

from kubesonar.apps import dns
from kubesonar.apps.client import asking, check, explain, history, map
from kubesonar.apps.client.archive import ArchiveWriter
from kubesonar.apps.client.gather import AgentAccess
from kubesonar.apps.client.sources import sources_of
from kubesonar.apps.kubectl.arguments import KubectlArguments, OutputFormat
from kubesonar.apps.kubectl.cluster_facts import take_cluster
from kubesonar.apps.kubectl.page import PageUpstream, page_options, show_page
from kubesonar.apps.kubectl.reaching import Reached, chosen_kubeconfig, credentials_of, reached, remembering
from kubesonar.apps.kubectl.release import Release
from kubesonar.apps.kubectl.trial import new_plan, run_trial
from kubesonar.apps.kubectl.trial_objects import TRIAL_IMAGE, anchor, owned
from kubesonar.apps.support import Out, take, write_archive
from kubesonar.config import ConfigError
from kubesonar.core.decoding import decode_json
from kubesonar.kube.client import Client
from kubesonar.model import clip
from kubesonar.net.clock import SystemClock


def run_plugin_command(name: str, given: KubectlArguments) -> int:
    """Run one of `KUBECTL_COMMANDS` and return its exit code. Raises ConfigError."""
    command = KUBECTL_COMMANDS[name]
    if "--help" in given.own and command.plain is not None:
        return command.plain(list(given.own) if name == "dns" else ["--help"])
    return command.run(given)


def _asked(run: Callable[[Sequence[str]], int], given: KubectlArguments, place: Reached) -> int:
    """Run one of kubesonar's commands, and turn what it prints into the format that is wanted."""
    arguments = [*given.own, *place.flags, *place.agents]
    if given.output in (OutputFormat.TEXT, OutputFormat.WIDE):
        return run(arguments)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = run(["--json", *arguments])
    document = printed.getvalue()
    if given.output is OutputFormat.YAML and document:
        document = yaml.safe_dump(decode_json(document, object), sort_keys=False, allow_unicode=True)
    sys.stdout.write(document)
    return code


def _check(given: KubectlArguments) -> int:
    with reached(given) as place:
        code = _asked(check.main, given, place)
        if given.output is OutputFormat.WIDE and code == 1:
            explain.main(["all", *place.flags, *place.agents])
        return code


def _map(given: KubectlArguments) -> int:
    with reached(given) as place:
        return _asked(map.main, given, place)


def _history(given: KubectlArguments) -> int:
    with remembering(given) as place:
        return _asked(history.main, given, place)


def _explain(given: KubectlArguments) -> int:
    if given.output in (OutputFormat.JSON, OutputFormat.YAML):
        raise ConfigError("explain answers in words; check -o json holds the same evidence")
    with reached(given) as place:
        return _asked(explain.main, given, place)


def _page(given: KubectlArguments) -> int:
    port, opens = page_options(given.own)
    with remembering(given) as place:
        return show_page(PageUpstream(place.collector.removeprefix("unix:"), place.token), port, opens)


def _support(given: KubectlArguments) -> int:
    run = asking.parsed(_archive, given.own, "support")
    return run if isinstance(run, int) else run(given)


def _archive(out: Out = None, timeout: asking.Timeout = 10.0) -> Callable[[KubectlArguments], int]:
    """Write one archive for a bug report: versions, nodes, pods, configuration without secrets, logs, the snapshot of
    every agent, and the collector's verdict, incidents and map. `kubesonar check --from FILE` gives the same
    verdict."""

    def run(given: KubectlArguments) -> int:
        writer = ArchiveWriter(SystemClock().wall())
        with reached(given, everybody=True) as place:
            access = AgentAccess(token=place.token, timeout=timeout, collector=place.collector)
            asking.run_async(take(writer, sources_of(place.agents) if place.agents else [], access))
        asking.run_async(_facts(writer, given, place.release))
        return write_archive(writer, out)

    return run


async def _facts(writer: ArchiveWriter, given: KubectlArguments, release: Release) -> None:
    client = Client(credentials_of(given))
    try:
        await take_cluster(writer, client, release)
    finally:
        client.close()


def _try(given: KubectlArguments) -> int:
    run = asking.parsed(_trial, given.own, "try")
    return run if isinstance(run, int) else run(given)


def _trial(
    seconds: Annotated[
        float, typer.Option("--for", min=1, max=600, metavar="SECONDS", help="How long the agents measure.")
    ] = 300,
    image: Annotated[str, typer.Option(metavar="IMAGE", help="The image of the agents.")] = TRIAL_IMAGE,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be created; create nothing.")] = False,
) -> Callable[[KubectlArguments], int]:
    """Make a mesh for five minutes where nothing is installed, give one verdict, and delete everything. It has an agent
    on every node, and the right to list the pods of its namespace. Kubernetes deletes it within 20 minutes where this
    command cannot."""

    if not image or image != "".join(image.split()):
        raise ConfigError(f'--image: got "{clip(image, 80)}", expected the name of an image')

    def run(given: KubectlArguments) -> int:
        credentials = credentials_of(given)
        plan = new_plan(given.namespace or credentials.namespace, image)
        if dry_run:
            trees = [each.tree for each in (anchor(plan), *owned(plan, "(uid of the Job)"))]
            sys.stdout.write(yaml.safe_dump_all(trees, sort_keys=False))
            return 0
        return run_trial(credentials, plan, seconds, ["--json"] if given.output is OutputFormat.JSON else [])

    return run


def _dns(given: KubectlArguments) -> int:
    """Run `kubesonar dns` with the kubeconfig, context and namespace of kubectl."""
    verb, rest = given.own[:1], given.own[1:]
    if given.output not in (OutputFormat.TEXT, OutputFormat.JSON):
        raise ConfigError(f"--output: got {given.output}, expected json: dns has no other format")
    flags = ["--namespace", given.namespace] if given.namespace else []
    flags += ["--json"] if given.output is OutputFormat.JSON else []
    with chosen_kubeconfig(given) as kubeconfig:
        flags += ["--kubeconfig", kubeconfig] if kubeconfig else []
        return dns.main([*verb, *flags, *rest])


class KubectlCommand(NamedTuple):
    """One command: its description in one line, what runs it, and the command of kubesonar whose --help it has (None:
    it has one itself)."""

    help: str
    run: Callable[[KubectlArguments], int]
    plain: Callable[[Sequence[str]], int] | None = None


KUBECTL_COMMANDS = {
    "check": KubectlCommand("say in one sentence whether the network is healthy", _check, check.main),
    "map": KubectlCommand("show who reaches whom, live", _map, map.main),
    "history": KubectlCommand("what was wrong, when, and what was told of it", _history, history.main),
    "explain": KubectlCommand("why a finding is held to be true, and what would confirm it", _explain, explain.main),
    "dns": KubectlCommand("which part of the cluster's DNS is sick", _dns, dns.main),
    "support": KubectlCommand("write one archive for a bug report", _support),
    "try": KubectlCommand("without an installation: a mesh for five minutes, one verdict, nothing left", _try),
    "page": KubectlCommand("open the page of the installation in the browser", _page),
}
