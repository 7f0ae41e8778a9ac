"""Commands: networks."""
