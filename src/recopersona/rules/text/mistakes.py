"""What people type in place of the rule language, and what to tell them.

Every function returns one sentence: what was expected, what came, what to type.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from recopersona.data.event import EVENT_TYPES
from recopersona.errors import shown
from recopersona.rules.nodes import ACTIONS, COMPARISONS, FUNCTIONS, NAMESPACES, UNITS
from recopersona.rules.text.literals import is_moment, near, unit_meant

_STARTS = (*(action.upper() for action in ACTIONS), "RULE")
_MODIFIERS = ("WHEN", "DURING", "IF", "PRIORITY", "STRICT")
_OPERATORS = ("AND", "OR", "NOT", "IN", "BETWEEN", "HAS", "STARTS", "IS")
_PLACES = {
    "BY": "BY belongs to BOOST and BURY",
    "AT": "AT belongs to PIN, and AT LEAST 2 TIMES to DID",
    "PER": "PER belongs to LIMIT, before IN TOP and WHERE",
    "WHERE": "WHERE belongs to LIMIT and ENSURE, once; who asks stands after WHEN",
    "WITHIN": "WITHIN belongs to DID, once",
    "IN": "IN belongs after a value, and IN TOP before WHERE",
    "DID": "DID starts a condition",
}
_OTHER_KEYWORDS = (
    *("TIMEZONE", "TOP", "ANY", "ALL", "NONE", "CONSECUTIVE", "UNKNOWN", "APPLY", "SKIP", "WITH"),
    *("LEAST", "TIMES", "TRUE", "FALSE", "DID"),
)
_KEYWORDS = frozenset((*_STARTS, *_MODIFIERS, *_OPERATORS, *_PLACES, *_OTHER_KEYWORDS))
_OTHER_SIGNS = {
    "==": "=", "===": "=", "<>": "!=", "!==": "!=", "=!": "!=", "=>": ">=", "=<": "<=",
    "&&": "AND", "&": "AND", "||": "OR", "|": "OR", "!": "NOT", "><": "!=", "<=>": "=",
    "[": "(", "]": ")", "{": "(", "}": ")", "`": '"',
}  # fmt: skip
_OTHER_WORDS = {
    "NULL": "item.x IS UNKNOWN", "NAN": "item.x IS UNKNOWN", "NIL": "item.x IS UNKNOWN",
    "MISSING": "UNKNOWN", "TWICE": "AT LEAST 2 TIMES", "LAST": "WITHIN 90d",
    "LIKE": "STARTS WITH, without %", "CONTAINS": "HAS ANY (...)", "XOR": "!=", "EQUALS": "=",
    "YES": "TRUE", "NO": "FALSE", "UNLESS": "WHEN NOT", "UNTIL": "DURING, two dots and a day",
    "FROM": "DURING 2026-07-01..2026-07-31", "SINCE": "DURING with a day and two dots",
    "MOD": "another condition",
}  # fmt: skip
_OTHER_ACTIONS = {
    "SHOW": "REQUIRE", "FILTER": "REQUIRE", "INCLUDE": "REQUIRE", "ONLY": "REQUIRE",
    "HIDE": "EXCLUDE", "REMOVE": "EXCLUDE", "BLOCK": "EXCLUDE", "PROMOTE": "BOOST",
    "DEMOTE": "BURY", "CAP": "LIMIT", "MAX": "LIMIT", "MIN": "ENSURE",
}  # fmt: skip
_ARGUMENTS = {
    "ramp": "x, low, high", "decay": "x, half", "min": "a, b", "max": "a, b", "abs": "x",
    "log1p": "x",
}  # fmt: skip


def said(word: str) -> str:
    """Name a token in an error."""
    return shown(word) if word else "the end"


def _like(word: str, choices: Iterable[str]) -> str:
    """Return what a word was meant to be, but of one letter nothing can be said."""
    return near(word.upper(), choices) if len(word) > 1 else ""


def _bare(word: str) -> str:
    return shown(word)[1:-1]


def _or(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _of_another_language(words: Sequence[str], at: int) -> str | None:
    """Say what to write for a sign that comes from elsewhere, or that nobody can see."""
    word, after = words[at], words[at + 1]
    if word.upper() in ("NULL", "NAN", "NIL") and words[at - 1].upper() in ("IS", "NOT"):
        return f"{word} is no word of the rule language; write UNKNOWN."
    if word in ("-", "/") and after in ("-", "/", "*"):
        return "comments start with #; write that."
    if word and word in "%^~@?\\":
        return f"{word!r} is no sign of the rule language; numbers are joined by + - * /."
    if word in _OTHER_SIGNS:
        return f"{word!r} is no sign of the rule language; write {_OTHER_SIGNS[word]}."
    if word and not word.isprintable():
        return f"the invisible character U+{ord(word[0]):04X} stands here; delete it."
    if word.upper() in _OTHER_WORDS:
        return f"{word} is no word of the rule language; write {_OTHER_WORDS[word.upper()]}."
    return None


# -- where something must stand ----------------------------------------------------------------


def not_there(words: Sequence[str], at: int, key: str, expected: str) -> str:
    """Say that a keyword or sign is missing."""
    if words[at] == ")" and key != ")":
        return "this bracket closes none; delete it, or write ( where it begins."
    if key == ":" and at > 1:
        return f"{expected_name(words, at)}"
    got = f"expected {expected}, got {said(words[at])}"
    likely = _like(words[at], (key,)) if key.isalpha() else ""
    end = no_end(words, at) if at and words[at] not in ("", ",") else None
    return end or _of_another_language(words, at) or got + (likely or ".")


def expected_name(words: Sequence[str], at: int) -> str:
    """Say that a name is no plain word, or that it lacks its sign."""
    colon = next((place for place in range(at, min(at + 6, len(words))) if words[place] == ":"), 0)
    if colon:
        return (
            f"expected : after the name of a rule, got {said(words[at])}; a name of several words "
            'or signs stands in quotes, as RULE "in stock":.'
        )
    return f"expected : after the name of a rule, got {said(words[at])}; write RULE in_stock:."


def no_count(words: Sequence[str], at: int, expected: str) -> str:
    """Say that a whole number is missing, or too small or large."""
    got = words[at] + (words[at + 1] if words[at] == "-" else "")
    after = words[at + 1]
    likely = f"; write {after}." if after.isdigit() and got.isalpha() else "."
    return f"expected {expected}, got {said(got)}{likely}"


def no_value(words: Sequence[str], at: int, expected: str = "a value such as item.stock") -> str:
    """Say what is wrong where a value should stand."""
    word, after = words[at], words[at + 1]
    before = words[at - 1] if at else ""
    if before in COMPARISONS and word in COMPARISONS:
        return f"there is no sign {before + word!r}; write one of {' '.join(COMPARISONS)}."
    if before == word == "/":
        return "comments start with #; write that."
    if word == ")" and before in ("(", ","):
        return f"expected {expected} before ), got none."
    if word == "." and after[:1].isdigit():
        return f"a number starts with a digit; write 0.{_bare(after)}."
    if other := _of_another_language(words, at):
        return other
    if not word[:1].isalpha() and word[:1] != "_":
        return f"expected {expected}, got {said(word)}."
    return _no_value_but_a_word(words, at, expected)


def _no_value_but_a_word(words: Sequence[str], at: int, expected: str) -> str:
    word, after = words[at], words[at + 1]
    of, dot, name = word.partition(".")
    if dot:
        likely = near(of, NAMESPACES)
        likely = f"{likely[:-2]}.{_bare(name)}'?" if likely else f"; write item.{_bare(name)}."
        return f"a field starts with item, user, ctx or seed, got {shown(word)}{likely}"
    if word in NAMESPACES:
        name = words[at + 2] if after == "." else after
        name = _bare(name) if name[:1].isalpha() else "stock"
        return f"expected a dot and a name directly after {word}; write {word}.{name}."
    if after == "(" and word.upper() not in _KEYWORDS:
        known = near(word, FUNCTIONS) or f"; there are {', '.join(FUNCTIONS)}."
        return f"unknown function {shown(word)}{known}"
    if word.upper() in _KEYWORDS:
        return f"expected {expected} before {word.upper()}, got none."
    if likely := _like(word, ("DID", "NOT", "TRUE", "FALSE")):
        return f"expected {expected}, got {shown(word)}{likely}"
    bare = _bare(word)
    if expected.startswith("a field"):
        return f"expected {expected}, got {shown(word)}; write item.{bare}."
    if words[at - 1] == "-" and "." in words[at - 2]:
        of, _, name = words[at - 2].partition(".")
        dashed = f'{of}."{_bare(name)}-{bare}"'
        return f"expected {expected}, got {shown(word)}; a name with a - in it is written {dashed}."
    return (
        f"expected {expected}, got {shown(word)}; "
        f'write "{bare}" for a text, item.{bare} for a field.'
    )


def no_list(after: str, word: str, key: str) -> str:
    """Say what is wrong where a list should stand."""
    if key in ("TOP", "ANY") and after == "IN":
        return "IN TOP and IN ANY stand before WHERE; move this there."
    return (
        f"expected a list in round brackets after {after}, a $parameter or a field, "
        f'got {said(word)}; write {after} ("a", "b").'
    )


def no_event(word: str) -> str:
    """Say which events there are."""
    known = near(word, EVENT_TYPES) or f"; there are {', '.join(EVENT_TYPES)}."
    return f"expected an event after DID, got {said(word)}{known}"


def wrong_arguments(name: str) -> str:
    """Say how many values a function takes."""
    least, most = FUNCTIONS[name]
    wanted = "one value" if most == 1 else f"{least} values"
    wanted = f"{least} to {most} values" if least < most else wanted
    return f"{name} takes {wanted}; write {name}({_ARGUMENTS[name]})."


# -- where something has ended -----------------------------------------------------------------


def no_end(words: Sequence[str], at: int) -> str | None:
    """Say what is wrong directly after a value, whatever it is a part of."""
    word, before = words[at], words[at - 1]
    if other := _of_another_language(words, at):
        return other
    if word == "." and before == "..":
        return "two dots stand between days; write 2026-07-01..2026-07-31."
    if before[:1].isdigit() and (other := _no_end_of_number(word, before, words[at + 1])):
        return other
    if word == "." and words[at + 1][:1].isalpha() and "." in before:
        of, _, name = before.partition(".")
        whole = f"{_bare(name)}.{_bare(words[at + 1])}"
        return f'a name with a dot in it stands in quotes; write {of}."{whole}".'
    if word.upper() == "IN" and words[at + 1].upper() in ("TOP", "ANY"):
        return (
            "IN TOP and IN ANY stand before WHERE, in LIMIT and ENSURE; move this there, "
            "or name slots by PIN ... AT 1, 2."
        )
    if word == ",":
        return "conditions are joined by AND or OR; write one of them for the comma."
    return None


def _no_end_of_number(word: str, before: str, after: str) -> str | None:
    if is_moment(before):
        if word[:1].isdigit():
            return f"a moment is one word; write {_bare(before)}T18:00."
        return None
    unit = word if word in UNITS or word == "%" else unit_meant(word)
    if before[-1:].isdigit() and unit:
        return f"a number and its unit are one word; write {_bare(before)}{unit}."
    if word == ".":
        return f"a number ends with a digit; write {_bare(before)}.0, or no dot."
    if word == "," and after[:1].isdigit():
        if len(after) == len("000") and after.isdigit():
            return f"a number has no commas; write {_bare(before)}{after}."
        if before.isdigit() and after.isdigit():
            return f"decimals stand after a dot; write {_bare(before)}.{_bare(after)}."
    return None


def no_operator(words: Sequence[str], at: int) -> str:
    """Say what is wrong where a condition should go on or end."""
    word = words[at]
    likely = _like(word, ("AND", "OR", "IN", "BETWEEN", "HAS", "STARTS", "IS"))
    return no_end(words, at) or f"expected an operator or the end, got {said(word)}{likely or '.'}"


def no_chain(words: Sequence[str], at: int) -> str:
    """Say that what follows a condition needs a condition of its own."""
    if other := no_end(words, at):
        return other
    if words[at] in COMPARISONS:
        return "comparisons are not chained; write a < x AND x < b, or x BETWEEN a AND b."
    return f"{said(words[at])} cannot follow a condition; put that in brackets, or write AND."


def no_rule(words: Sequence[str], at: int, *, after_rule: bool) -> str:
    """Say what is wrong where a rule, or more of one, should stand."""
    word, key = words[at], words[at].upper()
    if word == ")":
        return "this bracket closes none; delete it, or write ( where it begins."
    if key == "TIMEZONE":
        return "TIMEZONE is said once, before all rules; move it there."
    if not after_rule:
        return _of_another_language(words, at) or _no_start(word, words[at + 1])
    if other := no_end(words, at):
        return other
    if key in _PLACES:
        return f"{_PLACES[key]}; nothing here takes it, so move or delete it."
    if key in _OPERATORS:
        return f"{key} has nothing to join here; put what it joins in brackets."
    got = f"expected more of the rule or the next one, got {said(word)}"
    if likely := _like(word, (*_MODIFIERS, *_OPERATORS, *_PLACES, *_STARTS)):
        return got + likely
    return f"{got}; rules go on by {_or(_MODIFIERS)}, and start with {_or(_STARTS)}."


def _no_start(word: str, after: str) -> str:
    got = f"expected a rule, got {said(word)}"
    if action := _OTHER_ACTIONS.get(word.upper()):
        return f"{got}; write {action}."
    if word == "RULE" or word.upper() == "RULE":
        return "a rule has one name; write what it does after the colon, as REQUIRE item.stock > 0."
    if after == ":":
        return f"{got}; a name stands after RULE, so write RULE {_bare(word)}:."
    if likely := _like(word, (*_STARTS, "TIMEZONE")):
        return got + likely
    if word.partition(".")[0] in NAMESPACES:
        return f"{got}; write what to do before it, as REQUIRE {_bare(word)}."
    return f"{got}; it starts with {_or(_STARTS)}."
