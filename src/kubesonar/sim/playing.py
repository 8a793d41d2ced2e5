"""Plays a scenario: commands in, a transcript out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from kubesonar.core.decoding import Undecodable, convert_plain, decode_json
from kubesonar.core.membership.events import Leased, MembershipAction
from kubesonar.core.membership.instance import MembershipOptions
from kubesonar.model import Member
from kubesonar.sim.node import SimNode
from kubesonar.sim.oracles import Oracles
from kubesonar.sim.scenario import (
    MOST_MEMBERS,
    Scenario,
    ScenarioCommand,
    ScenarioError,
    parse_share,
    seconds,
    state,
    whole,
)
from kubesonar.sim.transcript import transcript_sentence
from kubesonar.sim.world import SimWorld

if TYPE_CHECKING:
    from random import Random

_LEASES = {"mine": True, "other": False, "unknown": None}
COORDINATOR = "coordinator"
"""The word that stands for the member that may announce at that moment, in the place of a name."""

_EACH = {
    "start": SimWorld.start,
    "kill": SimWorld.kill,
    "leave": SimWorld.leave,
    "pause": SimWorld.pause,
    "resume": SimWorld.resume,
    "off": SimWorld.power_off,
    "on": SimWorld.power_on,
}
"""The commands that do one thing to each of the members that they name."""


class Player:
    """Plays one scenario. `seed` and `members` replace those of the scenario; `rng` makes the generator for a seed (a
    pure room makes none); `write` gets each line of the transcript as it comes: a line of the scenario, or `> ` with a
    time, a name and a sentence. `complaints` are what must never happen and did."""

    def __init__(
        self,
        scenario: Scenario,
        rng: Callable[[int], Random],
        write: Callable[[str], None],
        *,
        seed: int | None = None,
        members: int | None = None,
    ) -> None:
        self._scenario = scenario
        self._rng = rng
        self._write = write
        self._seed = seed
        self._members = members
        self._settings: dict[str, dict[str, Any]] = {}
        self.world: SimWorld | None = None
        self.oracles: Oracles | None = None

    @property
    def complaints(self) -> list[str]:
        """The sentences of the oracles, empty where nothing went wrong."""
        return self.oracles.complaints if self.oracles is not None else []

    def play(self, longer: float = 0.0) -> None:
        """Do all commands, and let so many seconds pass after them. Raises ScenarioError."""
        commands = {command.number: command for command in self._scenario.commands}
        numbers = iter(sorted(commands))
        for line in self._scenario.lines:
            self._write(line)
            if line.partition("#")[0].split():
                self._do(commands[next(numbers)])
        if self.world is not None and longer:
            self.world.run(self.world.now + longer)

    def _do(self, command: ScenarioCommand) -> None:
        if command.verb == "seed":
            self._seed = whole(command, command.words[0], 0, 2**53) if self._seed is None else self._seed
        elif command.verb == "set":
            self._set(command)
        elif command.verb == "members":
            self._populate(command)
        elif command.verb in _EACH:
            world = self._made(command)
            for name in self._names(world, command, command.words):
                _EACH[command.verb](world, name)
        else:
            getattr(self, f"_do_{command.verb}")(self._made(command), command)

    def _made(self, command: ScenarioCommand) -> SimWorld:
        if self.world is None:
            raise ScenarioError(f'line {command.number}: "members" has to come before "{command.verb}"')
        return self.world

    # Before the world is made

    def _set(self, command: ScenarioCommand) -> None:
        part, _, name = command.words[0].partition(".")
        try:
            value = decode_json(command.words[1], object)
        except Undecodable:
            value = command.words[1]
        self._settings.setdefault(part, {})[name] = value
        try:
            convert_plain(self._settings, MembershipOptions)
        except Undecodable as error:
            raise ScenarioError(f"line {command.number}: {command.text.strip()[:60]}: {error}") from None

    def _populate(self, command: ScenarioCommand) -> None:
        if self.world is not None:
            raise ScenarioError(f'line {command.number}: "members" can be said only once')
        count = self._members or whole(command, command.words[0], 1, MOST_MEMBERS)
        zones = whole(command, command.words[2], 1, 100) if len(command.words) == 3 else min(3, count)
        options = convert_plain(self._settings, MembershipOptions)
        self.world = world = SimWorld(self._rng(self._seed or 0), options, self._record)
        self.oracles = Oracles(world)
        world.watch.append(self.oracles.act)
        world.populate(member(f"m{number}", f"z{number % zones}") for number in range(1, count + 1))
        for name in world.nodes:
            world.after(world.rng.random() / 2, world.start, name)

    def _record(self, now: float, node: SimNode, action: MembershipAction) -> None:
        sentence = transcript_sentence(action)
        if sentence:
            self._write(f"> {now:9.3f}  {node.name}  {sentence}")

    # Commands, by their verbs

    def _names(self, world: SimWorld, command: ScenarioCommand, words: tuple[str, ...]) -> list[str]:
        return [self._name(world, command, word) for word in words]

    def _name(self, world: SimWorld, command: ScenarioCommand, word: str) -> str:
        if word == COORDINATOR:
            heads = self.oracles.announcing() if self.oracles is not None else []
            if not heads:
                raise ScenarioError(f"line {command.number}: there is no coordinator with a majority at this moment")
            return heads[0]
        if word not in world.nodes:
            raise ScenarioError(f'line {command.number}: there is no member "{word[:40]}"')
        return word

    def _way(self, world: SimWorld, command: ScenarioCommand, word: str) -> tuple[str, str]:
        source, _, target = word.partition(">")
        return self._name(world, command, source), self._name(world, command, target)

    def _do_run(self, world: SimWorld, command: ScenarioCommand) -> None:
        world.run(world.now + seconds(command, command.words[0]))

    def _do_loss(self, world: SimWorld, command: ScenarioCommand) -> None:
        world.network.loss = parse_share(command, command.words[0])

    def _do_delay(self, world: SimWorld, command: ScenarioCommand) -> None:
        times = [seconds(command, word) for word in command.words]
        world.network.delay, world.network.jitter = times[0], times[1] if len(times) == 2 else 0.0

    def _do_starve(self, world: SimWorld, command: ScenarioCommand) -> None:
        world.starve(self._name(world, command, command.words[0]), seconds(command, command.words[1]))

    def _do_jump(self, world: SimWorld, command: ScenarioCommand) -> None:
        world.jump(self._name(world, command, command.words[0]), seconds(command, command.words[1]))

    def _do_cut(self, world: SimWorld, command: ScenarioCommand) -> None:
        self._moved()
        for word in command.words:
            if ">" in word:
                world.network.blocked.add(self._way(world, command, word))
            else:
                world.network.cut.add(self._name(world, command, word))

    def _do_slow(self, world: SimWorld, command: ScenarioCommand) -> None:
        world.network.slow[self._way(world, command, command.words[0])] = seconds(command, command.words[1])

    def _do_split(self, world: SimWorld, command: ScenarioCommand) -> None:
        self._moved()
        world.network.parts = dict.fromkeys(self._names(world, command, command.words), 1)

    def _do_heal(self, world: SimWorld, command: ScenarioCommand) -> None:
        self._moved()
        world.network.heal()

    def _moved(self) -> None:
        if self.oracles is not None:
            self.oracles.moved()

    def _do_state(self, world: SimWorld, command: ScenarioCommand) -> None:
        name, word, *reason = command.words
        name, new = self._name(world, command, name), state(command, word)
        changed = [
            msgspec.structs.replace(one, state=new, reason=" ".join(reason)) if one.name == name else one
            for one in world.members
        ]
        world.populate(changed)

    def _do_add(self, world: SimWorld, command: ScenarioCommand) -> None:
        name, *zone = command.words
        world.populate([*world.members, member(name, *zone)])
        world.start(name)

    def _do_remove(self, world: SimWorld, command: ScenarioCommand) -> None:
        names = self._names(world, command, command.words)
        for name in names:
            world.kill(name)
        world.remove(names)

    def _do_lease(self, world: SimWorld, command: ScenarioCommand) -> None:
        name, word = command.words
        if word not in _LEASES:
            raise ScenarioError(f'line {command.number}: "{word[:40]}" is not one of mine, other, unknown')
        world.feed(self._name(world, command, name), Leased(_LEASES[word]))


def member(name: str, zone: str = "z1") -> Member:
    """A member of a simulated cluster, alone on its node."""
    return Member(name, f"node-{name}", ("192.0.2.1",), 7473, zone=zone)
