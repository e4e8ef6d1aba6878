# SPDX-License-Identifier: MIT
"""Check of a site that tools/site has made: links, anchors, resources, and what screen readers need.
Addresses outside the site are checked by their form only."""
import html.parser
import os
import re
import urllib.parse

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
DRAWN = {"circle", "path", "rect", "use", "polygon", "line", "feflood", "fecomposite"}
ACTIVE = {"script", "iframe", "object", "embed", "form", "video", "audio", "style"}


class Reader(html.parser.HTMLParser):
    """What a page consists of. errors: what is wrong with the page itself."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.resources, self.errors = set(), [], [], []
        self.stack, self.levels, self.counts = [], [], {}
        self.lang, self.link_text, self.refs = None, None, []
        self.feed(text)
        self.close()
        if self.stack:
            self.errors.append(f"<{self.stack[-1]}> is not closed")
        for name in ("h1", "main", "title", "header", "footer"):
            if self.counts.get(name) != 1:
                self.errors.append(f"{self.counts.get(name, 0)} elements <{name}>")
        if not self.lang:
            self.errors.append("no language")
        for before, after in zip([0] + self.levels, self.levels):
            if after > before + 1:
                self.errors.append(f"heading of level {after} after level {before}")
        self.errors += [f"no element {name} for a label" for name in self.refs
                        if name not in self.ids]

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        # Titles of drawings are not the page's.
        if not (tag == "title" and "svg" in self.stack):
            self.counts[tag] = self.counts.get(tag, 0) + 1
        if tag not in VOID:
            self.stack.append(tag)
        self.look(tag, given)
        if tag in VOID or tag in DRAWN:
            return
        if tag == "html":
            self.lang = given.get("lang")
        if re.fullmatch(r"h[1-6]", tag):
            self.levels.append(int(tag[1]))

    def handle_startendtag(self, tag, attrs):
        self.look(tag, dict(attrs))

    def look(self, tag, given):
        name = given.get("id")
        if name is not None:
            if name in self.ids or not name or re.search(r"\s", name):
                self.errors.append(f"id \"{name}\" twice or not valid")
            self.ids.add(name)
        if tag in ACTIVE or any(key.startswith("on") or key == "style" for key in given):
            self.errors.append(f"<{tag}> with a script, a style or a frame")
        if tag == "a":
            if "href" not in given:
                self.errors.append("a link without an address")
            self.links.append(given.get("href") or "")
            self.link_text = given.get("aria-label") or ""
        elif tag == "use":
            self.links.append(given.get("href") or "")
        elif tag in ("img", "link"):
            self.resources.append(given.get("src" if tag == "img" else "href") or "")
        if tag == "img" and given.get("alt") is None:
            self.errors.append("an image without alt")
        if tag == "svg" and not given.get("aria-hidden") and not (
                given.get("aria-label") or given.get("aria-labelledby")):
            self.errors.append("a drawing without a label")
        if tag == "th" and "scope" not in given:
            self.errors.append("<th> without scope")
        self.refs += (given.get("aria-labelledby") or "").split()

    def handle_endtag(self, tag):
        if not self.stack or self.stack[-1] != tag:
            self.errors.append(f"</{tag}> closes <{self.stack[-1] if self.stack else ''}>")
            return
        self.stack.pop()
        if tag == "a":
            if not (self.link_text or "").strip():
                self.errors.append(f"a link without text: {self.links[-1]}")
            self.link_text = None

    def handle_data(self, data):
        if self.link_text is not None:
            self.link_text += data


def check_external(target):
    """Return an error for an address that cannot be right."""
    parts = urllib.parse.urlsplit(target)
    if parts.scheme == "mailto":
        return None if re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", parts.path) else "not an address"
    if parts.scheme != "https":
        return "not https"
    if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", parts.hostname or "", re.I):
        return "no host"
    return "a blank or a control character" if re.search(r"[\s\x00-\x1f]", target) else None


def check(folder):
    """Return the errors of a site as texts."""
    names = sorted(os.path.relpath(os.path.join(base, file), folder)
                   for base, _, files in os.walk(folder) for file in files)
    pages, errors, used = {}, [], {"index.html"}
    for name in names:
        path = os.path.join(folder, name)
        if name.endswith(".html"):
            with open(path, encoding="utf-8") as file:
                pages[name] = Reader(file.read())
            errors += [f"{name}: {error}" for error in pages[name].errors]
        elif name.endswith(".css"):
            with open(path, encoding="utf-8") as file:
                if re.search(r"@import|url\(|@font-face", file.read()):
                    errors.append(f"{name}: refers to another file")
    if "index.html" not in pages:
        errors.append("no index.html")
    for name, page in pages.items():
        for target in page.links + page.resources:
            parts = urllib.parse.urlsplit(target)
            if parts.scheme or parts.netloc:
                error = "a resource outside the site" if target in page.resources else \
                    check_external(target)
                if error:
                    errors.append(f"{name}: {target}: {error}")
                continue
            path = urllib.parse.unquote(parts.path) or name
            used.add(path)
            if path not in names:
                errors.append(f"{name}: {target}: no file {path}")
            elif parts.fragment and (path not in pages or urllib.parse.unquote(parts.fragment)
                                     not in pages[path].ids):
                errors.append(f"{name}: {target}: no anchor {parts.fragment}")
            elif not parts.path and not parts.fragment:
                errors.append(f"{name}: an empty link")
    return errors + [f"{name}: no page refers to it" for name in names if name not in used]
