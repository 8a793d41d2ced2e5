"""Streams to pods through the API server: commands (`exec`) and connections (`port_forward`) over WebSocket.

In: credentials, a pod, a command or a port. Out: output and exit code, or bytes; every failure is an ApiError. Only
this room imports the library `websockets` (extra `cli`), so agents never load it.
"""
