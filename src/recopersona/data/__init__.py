"""The nouns: events, ids, interactions, attributes, datasets, questions and answers."""
