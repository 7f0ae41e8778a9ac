"""Network backend that drives pasta."""
