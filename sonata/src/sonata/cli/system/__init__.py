"""Commands: system."""
