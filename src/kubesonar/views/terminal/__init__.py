"""Views for a person at a terminal, rendered by Rich.

In: a verdict and matrices (views/matrix.py). Out: lines that fit the terminal's width and height. Read `board` first;
it puts `verdict` and `map` together.
"""
