"""The Kubernetes API: the only room that talks to its server.

In: credentials (`auth/`), a `Resource` to read, an object to write. Out: objects with the few fields that are read
here, their changes, and every failure as an `ApiError`. Read `client.py` first, then `reflector.py`, which keeps a copy
of a resource through every outage.
"""
