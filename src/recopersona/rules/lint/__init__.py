"""Whether rules do what was meant."""
