"""E-mail addresses as their mailbox: one text for all ways to write it."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

from recopersona.events.identity.plain_texts import Unusable, plain_text, settled

LONGEST = 1024
"""Characters with a display name and all; an address itself has at most 254 (RFC 5321)."""

GMAIL = ("gmail.com", "googlemail.com")
"""One mailbox under two domains, whose provider ignores dots and what follows a plus."""

_LONGEST_ADDRESS, _LONGEST_LOCAL = 254, 64
_LONGEST_LABEL = 63
# What may repeat and what ends it share no character, so no text makes these go back.
_ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
_PART = r"[a-z0-9]+(?:-+[a-z0-9]+)*"
_USUAL = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@({_PART}(?:\.{_PART})+)")
_LABEL = re.compile(_PART)
_ASCII_ATOM = frozenset("abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+/=?^_`{|}~-")
_DEVIATIONS = frozenset("ßς")
_DOTS = str.maketrans({"。": ".", "ẞ": "ß"})
_AROUND = " ,;"


def email_of(text: str) -> str | Unusable:
    """Return the canonical form of an e-mail address, or why there is none.

    Examples
    --------
    >>> email_of("Anna Berg <Anna.Berg+shop@GoogleMail.com>"), email_of("anna@bücher.example")
    ('annaberg@gmail.com', 'anna@xn--bcher-kva.example')
    """
    usual = _usual(text)
    if usual:
        return usual
    plain = plain_text(text, LONGEST)
    if isinstance(plain, Unusable):
        return plain
    address = plain_text(_unwrapped(plain), LONGEST)  # what %00 stood for is seen to again
    if isinstance(address, Unusable):
        return address
    local, domain = _parted(address)
    return _mailbox(local, domain) or _refusal(address)


def _usual(text: str) -> str:
    """Return the form of what is written as most are, by one pattern; empty where it is not."""
    written = _USUAL.fullmatch(text.strip().lower()) if len(text) <= _LONGEST_ADDRESS else None
    if written is None or len(written[1]) > _LONGEST_LOCAL:
        return ""
    domain = written[2]
    if domain in GMAIL:
        return _of_gmail(written[1])
    certain = domain[-1].isalpha() and len(domain) <= _LONGEST_LABEL and "xn--" not in domain
    return written[0] if certain else ""


def _mailbox(local: str, domain: str) -> str:
    """Return the canonical form of the two parts, empty where they make none."""
    domain = _ascii_domain(domain)
    if not local or not domain or len(local.encode()) > _LONGEST_LOCAL:
        return ""
    if domain in GMAIL and not local.startswith('"'):
        return _of_gmail(local)
    mailbox = f"{local}@{domain}"
    return mailbox if len(mailbox) <= _LONGEST_ADDRESS else ""


def _of_gmail(local: str) -> str:
    bare = local.partition("+")[0].replace(".", "")
    return f"{bare}@gmail.com" if bare else ""


def _refusal(address: str) -> Unusable:
    many = address.count("@") > 1 and any(sign in address for sign in ",; ")
    return Unusable.SEVERAL if many else Unusable.MALFORMED


def _unwrapped(text: str) -> str:
    """Take the address out of a display name, a link, or quotes around the whole."""
    if text.endswith(">"):
        text = text[text.rfind("<") + 1 : -1]
    text = text.strip(_AROUND)
    if text[:7].lower() == "mailto:":
        text = unquote(text[7:].partition("?")[0])
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    return text.strip(_AROUND)


def _parted(address: str) -> tuple[str, str]:
    """Return the canonical part before the @ and the domain as it came; empty where not valid."""
    if address.startswith('"'):
        return _unquoted(address)
    local, _, domain = address.partition("@")
    local = settled(_lowered, local)
    return (local, domain) if _is_dotted(local) else ("", "")


def _lowered(text: str) -> str:
    return unicodedata.normalize("NFKC", text.lower())  # the dot of a small İ finds its place


def _is_dotted(local: str) -> bool:
    return all(part and all(map(_is_atomic, part)) for part in local.split("."))


def _is_atomic(character: str) -> bool:
    if character.isascii():
        return character in _ASCII_ATOM
    return character.isprintable() and not character.isspace()


def _unquoted(address: str) -> tuple[str, str]:
    """Read a part before the @ in quotes, and take off quotes that it does not need."""
    content, place = [], 1
    while place < len(address) and address[place] != '"':
        place += address[place] == "\\"
        content.append(address[place : place + 1])
        place += 1
    local = settled(_lowered, "".join(content))
    if address[place : place + 2] != '"@' or not local:
        return "", ""
    if not _is_dotted(local):
        local = '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return local, address[place + 2 :]


def _ascii_domain(domain: str) -> str:
    """Return a domain in the letters of the name system, empty where it is none.

    The mapping is that of UTS 46 without its deviations: ``straße.de`` is not ``strasse.de``,
    which belongs to somebody else. (Python's own ``idna`` codec takes them for one.)
    """
    if not domain.isascii():
        domain = _mapped(domain.translate(_DOTS))
    labels = [_ascii_label(label) for label in domain.lower().removesuffix(".").split(".")]
    usable = len(labels) > 1 and all(labels) and not labels[-1].isdigit()
    return ".".join(labels) if usable else ""


def _mapped(domain: str) -> str:
    folded = "".join(each if each in _DEVIATIONS else each.casefold() for each in domain)
    plain = plain_text(folded, LONGEST * 20)
    return "" if isinstance(plain, Unusable) else plain


def _ascii_label(label: str) -> str:
    if label.startswith("xn--") and not _is_encoded(label):
        return ""
    if not label.isascii():
        label = _encoded(label)
    return label if len(label) <= _LONGEST_LABEL and _LABEL.fullmatch(label) else ""


def _encoded(label: str) -> str:
    return "xn--" + label.encode("punycode").decode("ascii")


def _is_encoded(label: str) -> bool:
    """Tell whether a label that claims to be encoded is so, and in the one way that counts."""
    if not label.isascii() or len(label) > _LONGEST_LABEL:
        return False
    try:
        meant = label[4:].encode("ascii").decode("punycode")
    except (ValueError, OverflowError):
        return False
    return not meant.isascii() and _mapped(meant) == meant and _encoded(meant) == label
