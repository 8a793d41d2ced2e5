"""The agent: reports to the server each interval what it sees of its node and of some URLs.

In: flags and two environment variables. Out: a POST each interval. Read `reporter` first, then `probe` for how a URL is
measured and `facts` for what is said of the node.
"""
