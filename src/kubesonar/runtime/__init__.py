"""Runs the pure rooms on asyncio: drives machines, supervises tasks, watches this process, writes the log.

Machines, coroutines and the kernel's counters come in; actions carried out, restarts, troubles and log lines go out.
Read `drive.py` first, then `supervise.py`.
"""
