"""KNH's environment variables, endpoints and webhooks, with its promises and without its faults (README.md beside this
file)."""
