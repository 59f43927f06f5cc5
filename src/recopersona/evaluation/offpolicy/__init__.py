"""What another policy would have earned, from a log with propensities; or why nobody can say."""
