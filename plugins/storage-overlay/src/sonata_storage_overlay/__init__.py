"""Keeps Sonata's layers in overlay file systems."""
