"""Adds OCI hooks from hook directories to Sonata's containers."""
