"""Notices to the outside: webhooks and the log.

In: notices of the coordinator (`model.Notice`) and the configured receivers; formats of older tools are functions that
programs hand in. Out: HTTP posts, at least once and in order for each subject, and lines of the log. Read
`webhooks.py` first: it has a `DeliveryWorker` for each receiver and one `Outbox` for all.
"""
