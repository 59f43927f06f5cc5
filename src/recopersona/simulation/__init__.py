"""Visitors who click: shops whose truth is known, to measure who learns it."""
