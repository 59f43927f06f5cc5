"""Pages and charts taken apart, for tests that ask what is in them."""

from collections import Counter
from html.parser import HTMLParser
from xml.etree import ElementTree

VOID = {"meta", "link"}
SVG = "{http://www.w3.org/2000/svg}"


class Page(HTMLParser):
    """Counts tags, keeps attributes and the text of each element, and checks the nesting."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.texts = Counter(), [], []
        self._open = []
        self.feed(html)
        self.close()
        assert not self._open, f"left open: {self._open}"

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self._open[-1] if self._open else "", data))

    def text_in(self, tag):
        return [text for where, text in self.texts if where == tag]


class Drawing:
    """A chart as an element tree, with its texts and marks."""

    def __init__(self, svg):
        self.root = ElementTree.fromstring(svg)  # noqa: S314 - it is our own
        self.title = self.root.find(f"{SVG}title").text
        self.description = self.root.find(f"{SVG}desc").text or ""
        self.texts = [node.text for node in self.root.iter(f"{SVG}text")]

    def all(self, tag, look=""):
        return [
            node
            for node in self.root.iter(SVG + tag)
            if look in (node.get("class") or "").split() or not look
        ]
