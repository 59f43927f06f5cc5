"""Event logs on disk, searched row by row and written anew without some of them."""
