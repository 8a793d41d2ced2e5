"""Failure detection by SWIM with Lifeguard's corrections: `failure_detector.py` is the machine, to be read first.
Members' messages, results of host probes and time come in; pings, ping-reqs, host probes and claims about other members
go out. A claim goes to the coordinator, which decides what is announced.
"""
