"""What outlives a process, behind one protocol (`store.Store`): incidents, notices, counters, netchecker's records.

`memory`, `sqlite`, `etcd` and `kubernetes` are stores; all pass the tests of tests/stores/conformance.py. `lock` makes
one of several replicas the leader. `write_behind` stands between a program and a store that may be away."""
