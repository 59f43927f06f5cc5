"""Whether rules fit a shop, and what to write where they do not."""
