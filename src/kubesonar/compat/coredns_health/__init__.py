"""Flags and metrics of coredns-healthcheck (`wjayesh/health`), the only implementation of CoreDNS's UDP health-check
RFC.

In: its documented flags, and counts of questions. Out: what they mean here, and its metrics by their names. Read
README.md beside this file first. `kubesonar dns watch` and the doctor use both.

"""
