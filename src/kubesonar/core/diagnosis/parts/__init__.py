"""The parts of the network that can be sick, and which of them a trial crosses.

The traversal of a trial (its ends, its way and what it asks) comes in; the rows and subjects that it crosses go out,
each with the share of trials that does. Read `traversal.py` first, then `table.py`; the files of rows say which
`conditions` a trial must meet, which `subjects` it crosses, and what a person is told.
"""
