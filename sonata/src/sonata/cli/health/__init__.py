"""Commands: health checks."""
