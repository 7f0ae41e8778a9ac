"""Use-cases of pods."""
