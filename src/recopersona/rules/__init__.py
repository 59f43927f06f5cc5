"""The rule language: what a merchandiser means, said in one line."""
