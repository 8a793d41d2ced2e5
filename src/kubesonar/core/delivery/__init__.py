"""At-least-once delivery to HTTP receivers, as a pure machine: when to try which entry of an outbox again.

New entries, outcomes of tries and time come in; tries and drops go out. Read `retry_queue.py` first; `http_outcome.py`
says whose trouble a failed try is. `notify/` holds the entries and makes the tries.
"""
