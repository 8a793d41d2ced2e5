"""Namespaces of its own for the lab: network, mount and pid, and a user namespace without privileges.

Three processes surround the lab:

    outer    the command as it was started; forwards signals, returns the lab's exit code
    keeper   makes the namespaces; is itself outside of the new pid namespace
    init     process 1 inside; reaps orphans; when it ends, the kernel ends every process inside
    lab      the lab itself

Each asks the kernel to be killed with its parent (PR_SET_PDEATHSIG). So any end of the outer process, even by SIGKILL,
ends all, and the namespaces vanish with the last process in them. The keeper starts a session of its own: Ctrl-C
reaches only the outer process, which forwards it once; a second signal kills.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import msgspec

from kubesonar.lab.kernel.syscalls import (
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_REC,
    die_with_parent,
    mount,
    unshare,
)

_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WAITED = (*_FORWARDED, signal.SIGCHLD)
_REASON_LIMIT = 512
"""Most bytes of the sentence that says why there are no namespaces."""


class Isolation(msgspec.Struct, frozen=True):
    """Whether the lab has namespaces of its own; if not, the `reason`, and the lab uses loopback addresses."""

    namespaces: bool
    reason: str = ""


Inside = Callable[[Isolation], int]
"""The lab itself: a function that returns an exit code."""


def run_isolated(inside: Inside, *, user: bool = False) -> int:
    """Run `inside` in new namespaces and return its exit code (128 + n where signal n ended it).

    `user` asks for a user namespace even where privileges suffice. Where the machine allows no namespaces, `inside`
    runs in this process. To be called from the main thread of a process without other threads."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED)
    verdict, report = os.pipe()
    outer = os.getpid()
    keeper = os.fork()
    if keeper == 0:
        os.close(verdict)
        _keep(inside, report, outer, user, before)
    os.close(report)
    reason = _read_all(verdict)
    if not reason:
        return _attend(keeper)
    os.waitpid(keeper, 0)
    return _run_lab(inside, Isolation(False, reason), before)


def _keep(inside: Inside, report: int, outer: int, user: bool, mask: set[int | signal.Signals]) -> None:
    """Be the keeper; does not return."""
    os.setsid()
    reason = _enter(user)
    if reason:
        os.write(report, reason.encode()[:_REASON_LIMIT])
        os._exit(0)
    die_with_parent()  # after unshare: a change of credentials would clear it
    if os.getppid() != outer:
        os._exit(0)
    lifeline, held = os.pipe()
    init = os.fork()
    if init == 0:
        os.close(held)
        _init(inside, report, lifeline, mask)
    os.close(report)
    os._exit(_attend(init))


def _enter(user: bool) -> str:
    """Move into new namespaces. Return a sentence where that is not possible."""
    kinds = CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID
    uid, gid = os.getuid(), os.getgid()
    try:
        if not user:
            try:
                unshare(kinds)
            except PermissionError:
                user = True
        if user:
            unshare(kinds | CLONE_NEWUSER)
            Path("/proc/self/setgroups").write_text(
                "deny"
            )  # user_namespaces(7): else an unprivileged process may not write gid_map
            Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
            Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    except OSError as error:
        return f"this machine or container allows no new namespaces here ({error.strerror})"
    return ""


def _init(inside: Inside, report: int, lifeline: int, mask: set[int | signal.Signals]) -> None:
    """Be process 1 inside; does not return. In the lab, which is forked here, it raises SystemExit."""
    die_with_parent()
    if select.select([lifeline], [], [], 0)[0]:  # the keeper ended before the line above
        os._exit(0)
    reason = _furnish()
    if reason:
        os.write(report, reason.encode()[:_REASON_LIMIT])
        os._exit(0)
    lab = os.fork()
    if lab == 0:
        os.close(report)
        os.close(lifeline)
        raise SystemExit(_run_lab(inside, Isolation(True), mask))
    os.close(report)
    os._exit(_attend(lab, everyone=True))


def _furnish() -> str:
    """Mount and bring up what the lab needs. Return a sentence where the namespaces turn out to be useless."""
    from pyroute2 import IPRoute
    from pyroute2.netlink.exceptions import NetlinkError

    try:
        mount("none", "/", "none", MS_REC | MS_PRIVATE)
        _mount_proc()
        with IPRoute() as route:
            route.link("set", index=1, state="up")
            route.link("add", ifname="trial-a", kind="veth", peer={"ifname": "trial-b"})
            route.link("del", ifname="trial-a")
    except OSError as error:
        return f"namespaces are given without the right to use them ({error.strerror})"
    except NetlinkError as error:
        return f"no virtual link can be made in a new network namespace ({os.strerror(error.code)})"
    return ""


def _mount_proc() -> None:
    """Mount a /proc with the new process ids. Containers that mask parts of theirs forbid it; then the old one stays,
    which differs only in showing the outer process ids."""
    with contextlib.suppress(PermissionError):
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)


def _run_lab(inside: Inside, isolation: Isolation, mask: set[int | signal.Signals]) -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started us may have ignored it
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    try:
        return inside(isolation)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    finally:
        sys.stdout.flush()


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _attend(child: int, *, everyone: bool = False) -> int:
    """Forward signals to `child` until it ends, and return its exit code. `everyone`: reap orphans too, as process 1
    must."""
    asked = False
    while True:
        number = signal.sigwait(_WAITED)
        if number != signal.SIGCHLD:
            os.kill(child, signal.SIGKILL if asked else number)
            asked = True
            continue
        code = _reap(child, everyone)
        if code is not None:
            return code


def _reap(child: int, everyone: bool) -> int | None:
    while True:
        try:
            pid, status = os.waitpid(-1 if everyone else child, os.WNOHANG)
        except ChildProcessError:
            return None
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        if pid == 0:
            return None


def _read_all(descriptor: int) -> str:
    with os.fdopen(descriptor, "rb") as pipe:
        return pipe.read(_REASON_LIMIT).decode(errors="replace")
