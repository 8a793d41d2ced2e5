"""The only room that talks to the Kubernetes API server: credentials, requests, lists, watches, partial objects."""
