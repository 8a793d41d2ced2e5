"""The signed datagrams that members exchange: their bytes, and whether one was seen before.

Bytes and keys come in; frozen values, refusals and bytes go out. Read `codec.py` first, which shows the header; then
`keyring.py` (who may sign) and `replay_window.py`.
"""
