"""What is not marked as markup is escaped, wherever it stands."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recopersona.report.markup import Markup, element, safe, together


@given(st.text())
def test_any_text_comes_back_from_a_parser(text):
    markup = element("a", text, title=text).encode("utf-8")
    node = ElementTree.fromstring(markup)  # noqa: S314 - it is our own
    readable = "".join(
        sign if sign in "\t\n\r" or (sign >= " " and sign not in "\ufffe\uffff") else "�"
        for sign in text
    )
    # XML reads every line end as \n, and in attributes every white space as a space.
    assert (node.text or "") == readable.replace("\r\n", "\n").replace("\r", "\n")
    assert node.get("title").split() == readable.split()


def test_a_lone_surrogate_and_a_control_sign_become_readable():
    assert safe("a\ud800b\x00c") == "a�b�c"


def test_markup_stays_and_what_is_cut_from_it_is_text_again():
    bold = element("b", "x")
    assert element("p", bold) == "<p><b>x</b></p>"
    assert element("p", bold[:3]) == "<p>&lt;b&gt;</p>"
    assert not isinstance(bold + "<i>", Markup)


def test_attributes_are_escaped_even_if_they_are_markup():
    assert element("a", title=Markup('"><script>')) == ('<a title="&quot;&gt;&lt;script&gt;"></a>')


@pytest.mark.parametrize(
    ("key", "written"), [("class_", "class"), ("stroke_width", "stroke-width")]
)
def test_names_of_attributes_are_spelt_as_in_html(key, written):
    assert element("a", **{key: 1}) == f'<a {written}="1"></a>'


def test_nothing_is_left_of_none():
    assert element("a", None, title=None) == "<a></a>"
    assert together([]) == ""
