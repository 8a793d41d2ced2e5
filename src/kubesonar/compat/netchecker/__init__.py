"""The work of netchecker's server and agent, as two programs: `server/` and `agent/`.

In: the flags and environment of the older tool. Out: its endpoints, records, metrics and requests. Read README.md with
its table of quirks first, then `spec`, the record that agents send and the server shows, and `flags`.
"""
