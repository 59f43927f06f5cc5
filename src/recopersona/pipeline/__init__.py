"""Candidates, filter, rank, re-rank: one answer from many models."""
