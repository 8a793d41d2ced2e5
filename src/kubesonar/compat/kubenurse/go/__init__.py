"""Text formats and event names of Go's standard library, which the older tool's users see.

In: text of an environment variable, or an observation. Out: seconds, or the events that Go's httptrace names. Read
`duration` first; each file stands alone.
"""
