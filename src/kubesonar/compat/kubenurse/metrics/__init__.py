"""Counters and histograms in the older tool's names.

In: observations and durations of whole checks. Out: the text of /metrics. Read `instruments` for what is counted, then
`render` for how it is shown.
"""
