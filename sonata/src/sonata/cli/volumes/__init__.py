"""Commands: volumes."""
