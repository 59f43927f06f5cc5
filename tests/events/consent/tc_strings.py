"""Writes TC strings, bit by bit as the specification has them, for those who read them."""

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def number(value, width):
    assert 0 <= value < 2**width
    return [value >> place & 1 for place in reversed(range(width))]


def field(numbers, width):
    return [int(place in numbers) for place in range(1, width + 1)]


def letters(two):
    return [bit for letter in two for bit in number(ord(letter) - ord("A"), 6)]


def ranges(vendors):
    """Runs of neighbours as ranges, the others alone."""
    runs = []
    for vendor in sorted(vendors):
        if runs and runs[-1][1] == vendor - 1:
            runs[-1][1] = vendor
        else:
            runs.append([vendor, vendor])
    bits = number(len(runs), 12)
    for first, last in runs:
        bits += (
            [0, *number(first, 16)] if first == last else [1, *number(first, 16), *number(last, 16)]
        )
    return bits


def vendor_section(vendors, as_ranges):
    highest = max(vendors, default=0)
    bits = number(highest, 16)
    return bits + ([1, *ranges(vendors)] if as_ranges else [0, *field(vendors, highest)])


def tc_string(
    version=2, created=0, updated=0, cmp_id=0, cmp_version=0, screen=0, language="EN",
    vendor_list=0, policy=4, specific=False, texts=False, features=(), consent=(), interest=(),
    one=False, country="DE", vendors=(), interested=(), as_ranges=(False, False), restrictions=(),
):  # fmt: skip
    """Moments are in tenths of a second."""
    bits = [
        *number(version, 6), *number(created, 36), *number(updated, 36), *number(cmp_id, 12),
        *number(cmp_version, 12), *number(screen, 6), *letters(language), *number(vendor_list, 12),
        *number(policy, 6), int(specific), int(texts), *field(features, 12), *field(consent, 24),
        *field(interest, 24), int(one), *letters(country), *vendor_section(vendors, as_ranges[0]),
        *vendor_section(interested, as_ranges[1]), *number(len(restrictions), 12),
    ]  # fmt: skip
    for purpose, kind, restricted in restrictions:
        bits += [*number(purpose, 6), *number(kind, 2), *ranges(restricted)]
    bits += [0] * (-len(bits) % 6)
    return "".join(
        ALPHABET[int("".join(map(str, bits[start : start + 6])), 2)]
        for start in range(0, len(bits), 6)
    )
