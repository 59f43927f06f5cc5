"""What every model shares: parameters, verbs, persistence."""
