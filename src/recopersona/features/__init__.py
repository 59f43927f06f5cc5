"""Signals of users, items and visits, point-in-time correct, the same for training and serving."""
