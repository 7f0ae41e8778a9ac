"""Use-cases of networks."""
