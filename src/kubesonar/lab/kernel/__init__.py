"""Namespaces and processes, made by system calls.

In: functions to run. Out: their exit codes, and open descriptors of network namespaces. Read `isolate` first: it makes
the namespaces around the whole lab; `namespaces` makes those of its nodes and `processes` runs programs in them.
"""
