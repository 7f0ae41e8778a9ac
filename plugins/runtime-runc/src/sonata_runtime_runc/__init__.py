"""Runs Sonata's containers with runc."""
