"""Moves Sonata's images to and from registries."""
