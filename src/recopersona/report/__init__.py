"""Pages for people: a report in one HTML file, with tables and charts that open offline."""
