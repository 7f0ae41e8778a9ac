"""Commands: containers."""
