"""Authenticators of reports: from a request to who sends it, or to a sentence that says why it is not believed.

Read `reporter` first. `shared_secret` serves outside of Kubernetes; in a cluster `service_account` verifies tokens with
the published keys, and `token_review` has the API server do it.
"""
