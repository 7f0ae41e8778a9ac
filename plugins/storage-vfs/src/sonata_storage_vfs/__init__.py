"""Keeps Sonata's layers as full copies."""
