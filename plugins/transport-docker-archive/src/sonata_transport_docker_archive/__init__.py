"""Moves Sonata's images to and from docker save archives."""
