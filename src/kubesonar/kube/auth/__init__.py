"""Access to the API server: its address, the CA that vouches for it, and this program's identity.

In: the environment, a service account's mounted files, kubeconfig files, the output of exec plug-ins. Out:
`Credentials`, which give each request a TLS context and a bearer token as the files are at that moment. Read
`credentials.py` first, then `loading_rules.py`, which chooses among the sources.
"""
