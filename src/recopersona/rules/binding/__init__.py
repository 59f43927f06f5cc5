"""Rules bound to a shop: who may be shown now, and what is asked of the page."""
