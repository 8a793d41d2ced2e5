"""swim."""
