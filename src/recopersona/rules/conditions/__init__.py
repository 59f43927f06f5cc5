"""Conditions over the columns of a shop: compiled once, asked for all items at once."""
