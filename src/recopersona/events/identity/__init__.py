"""Who is who: identifiers of one person brought together, and what is personal kept secret."""
