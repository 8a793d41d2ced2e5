"""Localization: the fewest parts of the network that explain the trials that members saw.

The evidence of all members comes in; suspects, each a part with its rate of loss and its rivals, go out. Read
`search.py` first, which adds one part after the other; `part_gains.py` says what each part would explain beyond what is
explained already, and `acceptance.py` when that is enough to be told.
"""
