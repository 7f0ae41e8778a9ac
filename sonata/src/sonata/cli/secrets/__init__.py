"""Commands: secrets."""
