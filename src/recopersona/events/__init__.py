"""Raw logs in, clean and sessionized events out."""
