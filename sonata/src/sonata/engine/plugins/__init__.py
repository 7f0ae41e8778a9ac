"""Use-cases of plugins."""
