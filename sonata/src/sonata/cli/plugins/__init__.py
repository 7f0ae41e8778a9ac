"""Commands: plugins."""
