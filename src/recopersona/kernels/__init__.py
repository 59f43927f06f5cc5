"""Arrays in, arrays out: the arithmetic, knowing nothing of data."""
