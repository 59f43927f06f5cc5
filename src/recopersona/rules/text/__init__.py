"""Rules as text: read, and written again."""
