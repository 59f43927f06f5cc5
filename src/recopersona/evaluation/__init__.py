"""Is it better: splits that do not leak, metrics with their formulas, models side by side."""
