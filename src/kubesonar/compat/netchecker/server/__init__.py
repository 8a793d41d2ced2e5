"""The server: takes agents' reports, keeps them in etcd or as custom resources, and says who is missing.

In: flags, reports over HTTP, the list of pods. Out: the older tool's endpoints and metrics. Read `room` first, then
`endpoints`; `records`, `pods`, `missed_reports` and `metrics` are its parts.
"""
