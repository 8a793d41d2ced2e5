"""Composition only: each program is rooms put together."""
