"""Artifacts: files in an OCI layout beside the images."""
