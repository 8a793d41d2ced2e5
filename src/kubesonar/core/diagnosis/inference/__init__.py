"""Inference: how well sick parts of the network explain the trials that members saw, and at what rate each fails.

Cells of evidence and the routes that cross each part come in; gains in likelihood, rates, and what is slow or exhausted
go out. Read `likelihood.py` and `trial_model.py` first, which say what a part is worth; `background.py` learns what is
lost while all is well, and `slow_links.py` finds parts that are slow instead of lossy.
"""
