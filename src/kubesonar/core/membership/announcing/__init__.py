"""The announcements of a coordinator: `announcer.py` is the machine, to be read first. Claims of members, own looks and
who follows come in; announcements, doubts and what receivers that forget are told again go out. A claim waits in
`claim_book.py`, is joined with others about its node in `node_events.py`, and is kept back by `brake.py`.
"""
