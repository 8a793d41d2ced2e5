"""Stores of what outlives a process, behind one protocol (`store.Store`): incidents, notices, counters, netchecker's
records.

`memory`, `sqlite`, `etcd` and `kubernetes` are stores; all pass the tests of tests/stores/conformance.py. One
of several replicas leads by a guarded write of a record with a time to live. `write_behind` stands between a program
and a store that may be away."""
