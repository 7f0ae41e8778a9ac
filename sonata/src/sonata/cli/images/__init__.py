"""Commands: images."""
