"""kubenurse's environment variables, endpoints and metrics, on our own probing (README.md beside this file)."""
