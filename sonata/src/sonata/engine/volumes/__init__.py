"""Use-cases of volumes."""
