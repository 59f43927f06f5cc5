"""Words among bytes and lines of CSV, one at a time."""

import csv


def starts_of(data, words, whole):
    """Where one of some words begins; whole as in `mark_words`."""
    found = set()
    for word in words:
        for start in range(len(data) - len(word) + 1):
            end = start + len(word)
            before, behind = data[max(start - 1, 0) : start], data[end : end + 1]
            if data[start:end] != word or (whole == 2 and before.isdigit()):
                continue
            if not (whole and behind.isalnum()):
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
