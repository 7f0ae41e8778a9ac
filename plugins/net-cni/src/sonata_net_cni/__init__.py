"""The network backend that runs CNI plugins."""
