"""Moves Sonata's images to and from plain directories."""
