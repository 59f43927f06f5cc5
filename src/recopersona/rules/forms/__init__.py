"""Rules as Python and as JSON."""
