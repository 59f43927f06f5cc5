"""From a ranking to a page: what stands in which slot."""
