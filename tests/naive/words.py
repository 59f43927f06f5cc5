"""Words among bytes and lines of CSV, one at a time."""

import csv


def starts_of(data, words, whole):
    """Where one of some words begins; where whole, no digit may be before or behind it."""
    found = set()
    for word in words:
        for start in range(len(data) - len(word) + 1):
            end = start + len(word)
            around = data[max(start - 1, 0) : start] + data[end : end + 1]
            if data[start:end] == word and not (whole and any(48 <= byte <= 57 for byte in around)):
                found.add(start)
    return found


def is_a_record_a_line(text):
    """Whether each line, read alone and strictly, is what it is in the whole text."""
    lines = text.splitlines(keepends=True)
    try:
        alone = [row for line in lines for row in csv.reader([line], strict=True)]
        return alone == list(csv.reader(lines, strict=True))
    except csv.Error:
        return False
