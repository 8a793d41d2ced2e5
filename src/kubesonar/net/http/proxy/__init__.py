"""HTTP and SOCKS proxies, as Go's clients use them: the environment's variables, exceptions from them, the way through.

In: HTTP_PROXY, HTTPS_PROXY and NO_PROXY, and a URL. Out: the origin to connect to and the request to send. Read
`environment.py` first.
"""
