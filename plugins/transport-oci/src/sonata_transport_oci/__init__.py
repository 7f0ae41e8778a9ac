"""Moves Sonata's images to and from OCI layouts and archives of them."""
