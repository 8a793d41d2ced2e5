"""Members' authenticated datagrams: the shell of election and suspicion."""
