"""What a host lacks to run containers."""
