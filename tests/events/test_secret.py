"""A key can be used, and nothing can write it down."""

import copy
import hmac
import json
import pickle

import pytest
from sklearn.base import clone

import recopersona as rp
from recopersona.errors import ArtifactError, ParameterError
from recopersona.events.secret import Secret

KEY = "a key of thirty-two bytes, no less"


class Holder(rp.Part):
    """A part that has a key as a parameter."""

    key: Secret | None = rp.param(default=None)


def test_the_hash_is_the_hmac_that_any_system_makes():
    for key in (KEY, KEY.encode(), "ключ секретный", b"\0" * 16, b"k" * 64, b"k" * 65, b"k" * 999):
        raw = key.encode() if isinstance(key, str) else key
        for text in ("", "7", "anna@tea.example", "ä" * 1000):
            expected = hmac.new(raw, text.encode(), "sha256").hexdigest()[:32]
            assert Secret.of(key, "test").hash(text) == expected


def test_half_a_character_is_hashed_too():
    expected = hmac.new(KEY.encode(), b"\xed\xa0\x80", "sha256").hexdigest()[:32]
    assert Secret.of(KEY, "test").hash("\ud800") == expected


def test_a_key_is_never_shown():
    secret = Secret.of(KEY, "test")
    for shown in (repr(secret), str(secret), f"{secret}", repr([secret]), f"{secret!r:>30}"):
        assert KEY not in shown
        assert "***" in shown
    assert not hasattr(secret, "__dict__")
    held = [getattr(secret, name) for name in Secret.__slots__]
    assert not any(isinstance(part, (str, bytes)) for part in held)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_key_is_not_pickled(protocol):
    with pytest.raises(ArtifactError, match="never written to a file or sent to another process"):
        pickle.dumps(Secret.of(KEY, "test"), protocol)


def test_json_does_not_know_it():
    with pytest.raises(TypeError, match="not JSON serializable"):
        json.dumps(Secret.of(KEY, "test"))
    assert json.dumps(Secret.of(KEY, "test"), default=str) == '"Secret(***)"'


def test_a_part_that_holds_one_is_cloned_and_shown_but_not_saved(tmp_path):
    holder = Holder(key=Secret.of(KEY, "test"))
    holder.seen_ = [1]
    assert clone(holder).get_params()["key"] is holder.key
    assert KEY not in repr(holder) + holder._repr_html_() + str(holder.get_params())
    with pytest.raises(ArtifactError) as refusal:
        rp.save(holder, tmp_path / "holder.rp")
    assert KEY not in str(refusal.value)
    assert not any(KEY.encode() in path.read_bytes() for path in tmp_path.rglob("*.*"))


def test_copies_are_the_same_object_and_equality_is_that_of_keys():
    secret, same, other = (Secret.of(key, "test") for key in (KEY, KEY.encode(), KEY + "!"))
    assert copy.copy(secret) is copy.deepcopy(secret) is Secret.of(secret, "test") is secret
    assert secret == same
    assert hash(secret) == hash(same)
    assert secret != other
    assert secret != KEY
    assert secret.mark() == same.mark() != other.mark()


@pytest.mark.parametrize("key", ["s3cr3t", b"s3cr3t", "", 5318008, None, ["s3cr3t" * 9]])
def test_an_error_does_not_show_what_is_no_key(key):
    with pytest.raises(ParameterError, match="IdentityGraph: the key must") as refusal:
        Secret.of(key, "IdentityGraph")
    assert "s3cr3t" not in str(refusal.value)
    assert "5318008" not in str(refusal.value)
    assert refusal.value.__context__ is None
