"""Inference: which parts of the network explain the trials that members saw, and at what rate each of them fails.

Cells of evidence and the routes that cross each part come in; suspects with a rate, a gain and rivals go out. Read
`localization.py` first, which adds one part after the other; `likelihood.py` and `trial_model.py` say what a part is
worth, and `slow_links.py` finds parts that are slow instead of lossy.
"""
