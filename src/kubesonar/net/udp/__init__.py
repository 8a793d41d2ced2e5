"""Trains of signed datagrams: the sender that measures by them, and the responder that every member runs.

In: an address, a number of datagrams and their size; on the other end, datagrams of others. Out: a `TrainResult` for
the sender, and a `TrainRecord` of what arrived for the responder. Read `train_sender.py` first, then `responder.py`.
"""
