"""The servers that the lab's agents check: DNS, an API server, an ingress, and a receiver of webhooks.

In: addresses to listen on, and the members file. Out: answers, and a file with the notices that were received. Read
`api_server` first.
"""
