"""The lab's agents and servers as child processes, forked, so that thirty agents share one interpreter and its
imports."""

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
"""The function that a child runs; it returns the exit code, None for 0."""

_CRASHED = 70
"""Exit code after an exception: EX_SOFTWARE of sysexits.h."""


class LabProcess:
    """One child process inside one network namespace, which can be killed, stopped, continued and started again.

    To be started from the main thread: the kernel kills the child when the thread that forked it ends. The child leads
    a session of its own (so Ctrl-C does not reach it), writes to `log` and reads nothing.
    """

    def __init__(self, name: str, main: Main, network: int | None, log: Path) -> None:
        self.name = name
        self.log = log
        self.paused = False
        self.exit_code: int | None = None
        """Exit code of the last run (-n: ended by signal n); None while it runs."""
        self._main = main
        self._network = network
        self._pid = 0

    @property
    def pid(self) -> int:
        """Process id, 0 while the child does not run."""
        return self._pid if self.running else 0

    @property
    def running(self) -> bool:
        """Whether the child exists; a stopped one does."""
        if self._pid:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                self._ended(status)
        return self._pid != 0

    def start(self) -> None:
        """Start the child unless it runs."""
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
        """Kill the child (SIGKILL), stopped or not, and wait until it is gone."""
        if self.running:
            os.kill(self._pid, signal.SIGKILL)
            self._ended(os.waitpid(self._pid, 0)[1])

    def pause(self) -> None:
        """Stop the child (SIGSTOP): the kernel still completes handshakes for it."""
        if self.running:
            os.kill(self._pid, signal.SIGSTOP)
            self.paused = True

    def resume(self) -> None:
        """Continue a stopped child (SIGCONT)."""
        if self.paused and self.running:
            os.kill(self._pid, signal.SIGCONT)
        self.paused = False

    def _ended(self, status: int) -> None:
        self.exit_code = os.waitstatus_to_exitcode(status)
        self._pid = 0
        self.paused = False

    def _live(self, parent: int) -> None:
        """Be the child; does not return."""
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
    """Read from /dev/null and write to `log`, through new file objects: the parent's may be locked by a thread that
    does not exist in the child."""
    null = os.open("/dev/null", os.O_RDONLY)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((null, 0), (out, 1), (out, 2)):
        os.dup2(source, target)
    os.close(null)
    os.close(out)
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
