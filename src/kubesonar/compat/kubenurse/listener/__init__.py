"""The server side: the paths /alive, /alwayshappy, /ready and /metrics.

In: requests, the result of the last round, and the metrics. Out: replies as the older tool wrote them. Read
`endpoints` first.
"""
