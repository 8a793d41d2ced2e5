"""The acting half of the DNS doctor: restarts the DNS pods that `core.remedy` names, and says what it does and why.

In: what a look found (`core.dns_check`) and what the API server says of the pods (`facts`). Out: evictions
(`eviction`), Events, log lines and counts. Read `repairer` first. What must outlive the process is in the Lease that
lets only one doctor act (`lease_memory`).
"""
