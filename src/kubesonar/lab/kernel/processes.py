"""The lab's children: forked, not started anew, so that thirty agents cost one interpreter and one set of imports."""

from __future__ import annotations

import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from kubesonar.lab.kernel.syscalls import CLONE_NEWNET, die_with_parent, setns

Main = Callable[[], int | None]
"""What a child runs: returns its exit code, None for 0."""

_CRASHED = 70  # EX_SOFTWARE, sysexits.h


class LabProcess:
    """One child inside one network namespace, which can be killed, frozen, thawed and started again.

    Start it from the main thread: the kernel kills the child when the thread that forked it ends. The child leads a
    session of its own (a Ctrl-C in the terminal is the lab's alone), writes to `log` and reads nothing.
    """

    def __init__(self, name: str, main: Main, network: int | None, log: Path) -> None:
        self.name = name
        self.log = log
        self.paused = False
        self.exit_code: int | None = None
        """How the last run ended (-n: by signal n), None before the first end is noticed."""
        self._main = main
        self._network = network
        self._pid = 0

    @property
    def pid(self) -> int:
        """Process id of the present run, 0 while there is none."""
        return self._pid if self.running else 0

    @property
    def running(self) -> bool:
        """Whether the child lives; a frozen one does."""
        if self._pid:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                self._ended(status)
        return self._pid != 0

    def start(self) -> None:
        """Starts the child where it does not run."""
        if self.running:
            return
        sys.stdout.flush()
        sys.stderr.flush()
        gc.freeze()  # the collector must not touch, and so copy, pages that all children share
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._live(parent)
        self._pid = pid
        self.paused = False
        self.exit_code = None

    def kill(self) -> None:
        """Ends the child by SIGKILL, frozen or not, and waits until it is gone."""
        if self.running:
            os.kill(self._pid, signal.SIGKILL)
            self._ended(os.waitpid(self._pid, 0)[1])

    def pause(self) -> None:
        """Freezes the child (SIGSTOP): its kernel still answers for it, it does not."""
        if self.running:
            os.kill(self._pid, signal.SIGSTOP)
            self.paused = True

    def resume(self) -> None:
        """Thaws a frozen child (SIGCONT)."""
        if self.paused and self.running:
            os.kill(self._pid, signal.SIGCONT)
        self.paused = False

    def _ended(self, status: int) -> None:
        self.exit_code = os.waitstatus_to_exitcode(status)
        self._pid = 0
        self.paused = False

    def _live(self, parent: int) -> None:
        """The child's life; does not return."""
        code: int | None = _CRASHED
        try:
            die_with_parent()
            if os.getppid() == parent:
                self._settle()
                code = self._main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int | None) else 1
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code or 0)

    def _settle(self) -> None:
        os.setsid()
        signal.set_wakeup_fd(-1)  # the parent's event loop listens there
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        _redirect(self.log)
        if self._network is not None:
            setns(self._network, CLONE_NEWNET)


def _redirect(log: Path) -> None:
    """Standard input from nowhere, output to `log`, through new objects: the parent's may be locked by a thread that
    did not come along."""
    null = os.open("/dev/null", os.O_RDONLY)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((null, 0), (out, 1), (out, 2)):
        os.dup2(source, target)
    os.close(null)
    os.close(out)
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
