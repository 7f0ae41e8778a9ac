"""Stand-ins that behave: the same contract, nothing of the host."""
