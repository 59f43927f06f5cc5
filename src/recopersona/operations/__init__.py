"""What a shop does with all that it holds at once: erase a person, tell one, let go what is old."""
