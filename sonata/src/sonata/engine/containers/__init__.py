"""Use-cases of containers."""
