"""What people allowed, and when: the ledger that every entrance asks."""
