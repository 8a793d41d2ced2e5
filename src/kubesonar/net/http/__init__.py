"""HTTP/1.1 clients, over streams of our own with every phase timed.

In: a request, an origin (whom to connect to, and how TLS is verified) and a deadline. Out: a `Response`, whose fault
says why there is none; it never raises for what a server does. Read `connection.py` (the one request loop) first;
`response_reader.py` judges what a server sends as Go's client does, `pool.py` keeps idle connections, `client.py` looks
names up and gets whole documents.
"""
