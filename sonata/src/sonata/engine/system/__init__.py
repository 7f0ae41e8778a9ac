"""Use-cases of system."""
