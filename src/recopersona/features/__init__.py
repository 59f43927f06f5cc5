"""Signals made from events: what is known of customers, items and moments, and when."""
