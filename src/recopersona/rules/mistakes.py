"""What people type in place of the rule language, and what to tell them.

Every function returns one sentence: what was expected, what came, what to type.
"""

from __future__ import annotations

from collections.abc import Iterable

from recopersona.data.event import EVENT_TYPES
from recopersona.errors import shown
from recopersona.rules.literals import near
from recopersona.rules.nodes import ACTIONS, FUNCTIONS, NAMESPACES

_STARTS = (*(action.upper() for action in ACTIONS), "RULE")
_MODIFIERS = ("WHEN", "DURING", "IF", "PRIORITY", "STRICT")
_OPERATORS = ("AND", "OR", "NOT", "IN", "BETWEEN", "HAS", "STARTS", "IS")
_CLAUSES = ("BY", "AT", "PER", "WHERE", "WITHIN")
_OTHER_KEYWORDS = (
    *("TIMEZONE", "TOP", "ANY", "ALL", "NONE", "CONSECUTIVE", "UNKNOWN", "APPLY", "SKIP", "WITH"),
    *("LEAST", "TIMES", "TRUE", "FALSE", "DID"),
)
_KEYWORDS = frozenset((*_STARTS, *_MODIFIERS, *_OPERATORS, *_CLAUSES, *_OTHER_KEYWORDS))
_OTHER_SIGNS = {
    "==": "=", "===": "=", "<>": "!=", "!==": "!=", "=!": "!=", "=>": ">=", "=<": "<=",
    "&&": "AND", "&": "AND", "||": "OR", "|": "OR", "!": "NOT", "><": "!=", "<=>": "=",
}  # fmt: skip
_OTHER_WORDS = {
    "NULL": "IS UNKNOWN", "NONE": "IS UNKNOWN", "NAN": "IS UNKNOWN", "NIL": "IS UNKNOWN",
    "YES": "TRUE", "NO": "FALSE", "IF": "WHEN", "LIKE": "STARTS WITH", "CONTAINS": "HAS ANY (...)",
    "XOR": "!=", "EQUALS": "=", "ELSE": "another rule", "THEN": "another rule",
}  # fmt: skip
_COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")


def said(word: str) -> str:
    """Name a token in an error."""
    return shown(word) if word else "the end"


def no_value(words: list[str], at: int, expected: str = "a value such as item.stock or 3") -> str:
    """Say what is wrong where a value should stand."""
    word, before, after = words[at], words[at - 1] if at else "", words[at + 1]
    if word in _OTHER_SIGNS and _OTHER_SIGNS[word] == "NOT":
        return "'!' is no sign of the rule language; write NOT."
    if before in _COMPARISONS and word in ("=", *_OTHER_SIGNS):
        return f"there is no sign {before + word!r}; write one of {' '.join(_COMPARISONS)}."
    if word == "[" or word == "{":
        return f"a list stands in round brackets, got {word!r}; write (...)."
    if word == ")" and before == "(":
        return f"expected {expected} between the brackets, got none."
    if word == "." and after[:1].isdigit():
        return f"a number starts with a digit; write 0.{shown(after)[1:-1]}."
    if not word[:1].isalpha() and word[:1] != "_":
        return f"expected {expected}, got {said(word)}."
    return _no_value_but_a_word(word, after, expected)


def _no_value_but_a_word(word: str, after: str, expected: str) -> str:
    key = word.upper()
    of, dot, name = word.partition(".")
    if key in ("NULL", "NONE", "NAN", "NIL"):
        return f"nothing is compared with {word}; write IS UNKNOWN."
    if key in _KEYWORDS:
        return f"expected {expected} before {key}, got none."
    if dot:
        likely = _namespace(of, name)
        return f"a field starts with item, user, ctx or seed, got {shown(word)}{likely}"
    if word in NAMESPACES:
        example = f"{word}.{after}" if after.isidentifier() else f"{word}.name"
        return f"expected a dot and a name directly after {word}; write {example[:60]}."
    if after == "(":
        known = near(word, FUNCTIONS) or f"; there are {', '.join(FUNCTIONS)}."
        return f"unknown function {shown(word)}{known}"
    if key in _OTHER_WORDS:
        return f"{word} is no word of the rule language; write {_OTHER_WORDS[key]}."
    if likely := near(key, ("DID", "NOT", "TRUE", "FALSE")):
        return f"expected {expected}, got {shown(word)}{likely}"
    bare = shown(word)[1:-1]
    return (
        f"expected {expected}, got {shown(word)}; "
        f'write "{bare}" for a text, item.{bare} for a field.'
    )


def _namespace(of: str, name: str) -> str:
    likely = near(of, NAMESPACES)
    if not likely:
        return f"; write item.{shown(name)[1:-1]} for a field."
    return f"{likely[:-2]}.{shown(name)[1:-1]}'?"


def no_operator(
    words: list[str], at: int, *, after_test: bool = False, in_brackets: bool = False
) -> str:
    """Say what is wrong where an operator, or the end of a condition, should stand."""
    word, key = words[at], words[at].upper()
    if word in _OTHER_SIGNS:
        return f"{word!r} is no sign of the rule language; write {_OTHER_SIGNS[word]}."
    if key == "IN" and words[at + 1].upper() in ("TOP", "ANY"):
        return "IN TOP and IN ANY stand before WHERE; move this there."
    if after_test and word in _COMPARISONS:
        return "comparisons are not chained; write a < x AND x < b, or x BETWEEN a AND b."
    if after_test:
        return f"{said(word)} cannot follow a condition; put that in brackets, or write AND."
    if in_brackets:
        return f"expected ) to close a bracket, or an operator, got {said(word)}."
    return f"expected an operator or a modifier, got {said(word)}."


def no_list(after: str, word: str, key: str) -> str:
    """Say what is wrong where a list should stand."""
    if key in ("TOP", "ANY") and after == "IN":
        return "IN TOP and IN ANY stand before WHERE; move this there."
    return (
        f"expected a list in round brackets after {after}, a $parameter or a field, "
        f'got {said(word)}; write {after} ("a", "b").'
    )


def no_such_event(word: str) -> str:
    """Say which events there are."""
    known = near(word, EVENT_TYPES) or f"; there are {', '.join(EVENT_TYPES)}."
    return f"unknown event {said(word)} after DID{known}"


def wrong_number_of_arguments(name: str) -> str:
    """Say how many values a function takes."""
    least, most = FUNCTIONS[name]
    wanted = str(least) if least == most else f"{least} to {most}"
    return (
        f"{name} takes {wanted} {'value' if most == 1 else 'values'}; write {name}({_ARGS[name]})."
    )


_ARGS = {
    "ramp": "x, low, high",
    "decay": "x, half",
    "min": "a, b",
    "max": "a, b",
    "abs": "x",
    "log1p": "x",
}


def no_rule(words: list[str], at: int, *, after_rule: bool) -> str:
    """Say what is wrong where a rule, or more of one, should stand."""
    word, key = words[at], words[at].upper()
    if word == ")":
        return "this bracket closes none; delete it, or write ( where it begins."
    if word in _OTHER_SIGNS or (key == "IN" and after_rule):
        return no_operator(words, at)
    if key == "TIMEZONE":
        return "TIMEZONE is said once, before all rules; move it there."
    if not after_rule:
        likely = near(key, (*_STARTS, "TIMEZONE")) or f"; it starts with {_or(_STARTS)}."
        return f"expected a rule, got {said(word)}{likely}"
    if key in _CLAUSES:
        return f"{key} has no place here in this rule; see how its kind of rule is written."
    if key in _OTHER_WORDS:
        return f"{word} is no word of the rule language; write {_OTHER_WORDS[key]}."
    if word[:1].isalpha():
        likely = near(key, (*_MODIFIERS, *_OPERATORS, *_CLAUSES, *_STARTS))
        if likely:
            return f"expected more of the rule or the next one, got {said(word)}{likely}"
    return (
        f"expected more of the rule or the next one, got {said(word)}; "
        f"rules go on by {_or(_MODIFIERS)}, and start with {_or(_STARTS)}."
    )


def _or(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}"
