"""Texts of 64 KiB that ask much of a parser: deep, long, repeated, cut short."""

from __future__ import annotations

SIZE = 65_536


def texts() -> dict[str, str]:
    """Return each text by what is bad about it; some are rules, most are not."""
    require = "REQUIRE "
    found = {
        "one long OR": filled(require + "item.a=1", " OR item.a=1"),
        "ORs of digits": filled(require + "1=1", " OR 1=1"),
        "ORs of digits in brackets": filled(require + "(1=1)", "OR(1=1)"),
        "ORs of differences": filled(require + "1-1=1", " OR 1-1=1"),
        "a list of minus minus": filled(require + "1 IN (--1", ",--1", ")"),
        "ORs of ANDs": filled(require + "item.a=1", " OR item.a=1 AND item.b"),
        "bare flags": filled(require + "item.a", " OR item.a"),
        "a list of digits": filled(require + "item.a IN (1", ",1", ")"),
        "a list of words": filled(require + 'item.a IN ("a"', ',"a"', ")"),
        "a list without an end": filled(require + "item.a IN (1", ",1"),
        "a sum": filled(require + "item.a > 1", "+1"),
        "a sum of fields": filled(require + "item.a > item.b", "+item.b"),
        "products of parameters": filled(require + "1 < $a", "*$a"),
        "functions of many": filled(require + "max(-1,-1,-1)>1", " OR max(-1,-1,-1)>1"),
        "arguments": filled(require + "min(1", ",1", ") > 0"),
        "opening brackets": filled(require, "("),
        "closing brackets": filled(require + "item.a", ")"),
        "brackets in a row": filled(require + "(item.a)", " AND (item.a)"),
        "negations": filled(require, "NOT "),
        "minus signs": filled(require + "1 < ", "-"),
        "slots": filled("PIN item.a AT 1", ",1"),
        "semicolons": filled("", ";"),
        "line ends": filled("", "\n"),
        "empty remarks": filled("", "#\n"),
        "one long remark": filled("#", "x"),
        "blanks": filled(require, " ") + "!",
        "line ends, then an error": filled(require, "\n", "!"),
        "one long word": filled("", "R"),
        "one long key word": filled("REQUIR", "E"),
        "one long field": filled(require + "item.", "a"),
        "one long name": filled("RULE ", "a", ": REQUIRE item.a"),
        "one long number": filled(require + "item.a > ", "9"),
        "one long fraction": filled(require + "item.a > 0.", "9"),
        "one long unit": filled(require + "item.a > 1", "d"),
        "one long text": filled(require + 'item.a = "', "x", '"'),
        "one long text without an end": filled(require + 'item.a = "', "x"),
        "escapes": filled(require + 'item.a = "', "\\u0061", '"'),
        "backslashes": filled(require + 'item.a = "', "\\"),
        "quotes": filled(require + "item.a = ", '"'),
        "one long quoted field": filled(require + 'item."', "ü", '"'),
        "letters that are not ASCII": filled(require, "ü"),
        "smart quotes": filled(require + "item.a = ", "“"),
        "surrogates, as far as text goes": filled(require + 'item.a = "', "\\ud800", '"'),
        "dates": filled(require + "item.a IN (2026-07-01", ",2026-07-01", ")"),
        "moments": filled(require + "item.a IN (2026-07-01T18:00Z", ",2026-07-01T18:00Z", ")"),
        "durations": filled(require + "item.a IN (1d", ",1d", ")"),
        "events": filled(require + "DID a", " OR DID a AT LEAST 2 TIMES WITHIN 1d"),
        "modifiers": filled(require + "item.a", " STRICT"),
        "priorities": filled(require + "item.a", " PRIORITY 1"),
        "dots": filled(require + "item", "."),
        "nulls": filled(require, "\0"),
        "many short rules": filled("", "BURY BY 1\n"),
        "rules without an end": filled("", "RULE "),
    }
    rule = 'REQUIRE item.a BETWEEN 1 AND 2 AND item.b IN ("x", "y") OR NOT item.c HAS ANY (1, 2)'
    long_rule = rule + (" AND item.a=1" * 13)
    found["256 rules of 250 signs"] = "\n".join([long_rule] * 256)
    deep = "(" * 30 + "item.a" + ")" * 30
    found["many deep brackets"] = filled(require + deep, " OR " + deep)
    return {name: text.encode()[:SIZE].decode(errors="ignore") for name, text in found.items()}


def filled(start: str, again: str, end: str = "") -> str:
    """Repeat a part until the text is as long as a text may be."""
    room = SIZE - len((start + end).encode())
    return start + again * (room // len(again.encode())) + end
