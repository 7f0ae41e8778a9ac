"""Use-cases of images."""
