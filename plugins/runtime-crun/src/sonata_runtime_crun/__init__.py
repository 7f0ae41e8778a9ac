"""Runs Sonata's containers with crun."""
