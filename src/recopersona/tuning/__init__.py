"""Search over models and their parameters, and know what mattered."""
