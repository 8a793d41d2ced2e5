"""PURE: snapshots and folds to bytes and text."""
