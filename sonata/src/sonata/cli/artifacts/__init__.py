"""The commands of `artifact`."""
