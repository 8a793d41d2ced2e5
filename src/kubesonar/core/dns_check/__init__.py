"""One look at a cluster's DNS: what is asked of which server, what came back, and which part is sick.

In: the servers that were found and the results of questions. Out: the questions to ask, and findings in one sentence
each. Read `questions` first, then `results`, then `verdict`; `corefile` reads CoreDNS's configuration. Nothing here
sends anything: `doctor/` does.
"""
