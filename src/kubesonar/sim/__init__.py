"""PURE: drives the machines of core/ in virtual time."""
