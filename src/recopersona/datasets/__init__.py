"""Data to start with: a synthetic shop whose right answer is known."""
