"""HTTP routes over the ledger."""
