"""Sonata: a daemonless container engine."""
