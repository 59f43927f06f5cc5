"""What people and programs write where there is no e-mail, phone, name or address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from recopersona.errors import ParameterError

PLACEHOLDERS: Mapping[str, tuple[str, ...]] = {
    "email": (
        "noreply@", "no-reply@", "no.reply@", "donotreply@", "do-not-reply@", "mailer-daemon@",
        "abuse@", "postmaster@", "none@", "n/a@", "null@", "nil@", "nobody@", "noone@", "unknown@",
        "undefined@", "anonymous@", "nomail@", "noemail@", "no-email@", "noemailaddress@",
        "guest@", "dummy@", "fake@", "test@", "tester@", "testing@", "test1@", "test123@",
        "example@", "asdf@", "qwerty@", "xxx@", "aaa@",
        "@example.com", "@example.org", "@example.net", "@test.com", "@test.de", "@domain.com",
        "@email.com", "@none.com", "@noemail.com", "@nomail.com", "@no.com", "@na.com", "@x.com",
        "@asdf.com", "@fake.com", "@.test", "@.invalid", "@.localhost",
    ),
    "phone": (  # numbers that a country gives out, or they would be none anyhow
        "+12345678900", "+12345678901", "+12125551234", "+441234567890", "+447123456789",
        "+4915112345678", "+491711234567", "+33123456789", "+33612345678", "+34612345678",
        "+61412345678", "+8613800138000", "+911234567890", "+919876543210", "+919999999999",
    ),
    "name": (
        "test", "test test", "tester", "unknown", "unknown unknown", "anonymous", "guest", "user",
        "customer", "no name", "noname", "none", "na", "n a", "not available", "not given",
        "first last", "name", "john doe", "jane doe", "max mustermann", "erika mustermann", "asdf",
        "xxx", "x", "a", "admin", "dummy", "deleted user",
    ),
    "address": (
        "not available", "not given", "n a", "unknown unknown", "test test", "test 1",
        "test st 1", "muster st 1", "main st 123", "same as above",
    ),
}  # fmt: skip
"""By kind, canonical forms that many people share: none of them tells who somebody is.

Of e-mails, an entry that ends in ``@`` stands for that mailbox of every domain, one that begins
with ``@`` for every mailbox of the domain, and ``@.test`` for all domains that end in ``.test``.
"""


class Placeholders:
    """Tells the placeholders of one kind from values that say who somebody is.

    Examples
    --------
    >>> known = Placeholders("email", ["noreply@", "@.test", "a@b.example"])
    >>> [text in known for text in ("noreply@tea.example", "anna@shop.test", "b@b.example")]
    [True, True, False]
    """

    def __init__(self, kind: str, texts: Iterable[str]) -> None:
        self._texts = frozenset(texts)
        self._of_emails = kind == "email"

    def __contains__(self, canonical: str) -> bool:
        if canonical in self._texts or not self._of_emails:
            return canonical in self._texts
        local, _, domain = canonical.rpartition("@")
        last = domain.rpartition(".")[2]
        return not self._texts.isdisjoint((f"{local}@", f"@{domain}", f"@.{last}"))


def placeholders_of(given: Mapping[str, Iterable[str]] | None, kind: str) -> Placeholders:
    """Return the placeholders of a kind, none where none were given.

    Raises
    ------
    ParameterError
        If what was given is no mapping from kinds to lists of text; it is not shown.
    """
    texts: Any = () if given is None else _of_kind(given, kind)
    if isinstance(texts, str) or not isinstance(texts, Iterable):
        raise ParameterError(_EXPECTED)
    listed = list(texts)
    if not all(isinstance(text, str) for text in listed):
        raise ParameterError(_EXPECTED)
    return Placeholders(kind, listed)


_EXPECTED = (
    "placeholders must be a mapping from kinds to lists of canonical text, "
    'such as {"email": ["noreply@", "@example.com"]}, or None.'
)


def _of_kind(given: Any, kind: str) -> Any:
    if not isinstance(given, Mapping):
        raise ParameterError(_EXPECTED)
    return given.get(kind, ())
