"""Policies over arms: state in small objects, a choice in one line."""
