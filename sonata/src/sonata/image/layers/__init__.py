"""Layers of an image: tar streams to folders and back."""
