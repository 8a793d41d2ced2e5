"""The DNS doctor: looks at a cluster's DNS from where it stands, and says which part is sick.

In: the API server's Services, EndpointSlices and configuration, and the answers of DNS servers. Out: a `DnsLook` and
its verdict (`core.dns_check`). Read `look` first: it finds the servers (`dns_system`), chooses a standpoint (`vantage`)
and asks from there (`direct`, `helper_pod`, `forward`). `rights` has the rules of RBAC that each standpoint needs.
"""
