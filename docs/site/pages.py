# SPDX-License-Identifier: MIT
"""Pages of tools/site: HTML of guides (cmark-gfm), manual pages (mandoc) and other files of the tree."""
import html
import os
import posixpath
import re
import subprocess
import urllib.parse

ELSEWHERE = "https://manpages.debian.org/{}.{}"  # manual pages of other projects
BLOCKS = r"(?:p|div|dl|ul|ol|table|/?section|h\d|pre)\b"
TABLE = '<div class="scroll" role="region" aria-label="Table" tabindex="0">'


def run(*command, text=None):
    done = subprocess.run(command, input=text, capture_output=True, encoding="utf-8",
                          check=False)
    if done.returncode:
        raise ValueError(f"{command[0]}: {done.stderr.strip()}")
    return done.stdout


def text_of(fragment):
    """Return the text of an HTML fragment."""
    return html.unescape(re.sub(r"<[^>]*>", "", fragment)).strip()


class Page:
    """A page. source: its file in the tree. name: its file in the site."""

    def __init__(self, source, name, title, summary=""):
        self.source = source
        self.name = name
        self.title = title
        self.summary = summary
        self.body = ""
        self.contents = []  # (level, id, text) of the headings below the title

    def read(self, tree):
        with open(os.path.join(tree, self.source), encoding="utf-8") as file:
            return file.read()


def guide_name(source):
    """docs/factory.md is factory.html, and contrib/README.md is contrib.html."""
    folder, file = posixpath.split(source)
    stem = file.removesuffix(".md").lower()
    folder = folder.removeprefix("docs").strip("/").replace("/", "-")
    if folder and stem == "readme":
        return folder + ".html"
    return (folder + "-" if folder else "") + stem + ".html"


def first_sentence(markdown):
    for paragraph in markdown.strip().split("\n\n"):
        if not paragraph.startswith(("#", "|", "-", "`", "!")):
            first = text_of(run("cmark-gfm", text=paragraph)).split(". ")[0].rstrip(".:")
            return " ".join(first.split()) + "."
    return ""


def make_guide(tree, source, summary=None):
    """summary: what README.md says of the guide. Without it, the first sentence of the guide counts."""
    page = Page(source, guide_name(source), "")
    text = page.read(tree)
    found = re.search(r"^# (.+)$", text, re.M)
    if not found:
        raise ValueError(f"{source} has no title")
    page.title = found[1].replace("`", "")
    page.summary = summary or first_sentence(text[found.end():])
    return page


def make_manual(tree, source):
    name, section = source.rsplit("/", 1)[-1].rsplit(".", 1)
    page = Page(source, f"{name}.{section}.html", f"{name}({section})")
    text = page.read(tree)
    found = re.search(r"^\.Nd (.+)$", text, re.M)
    if not found:
        raise ValueError(f"{source} has no description")
    page.summary = found[1]
    page.functions = re.findall(r"^\.Nm ([a-z0-9_]+)(?: ,)?$", text[:found.start()], re.M)
    return page


def make_listing(tree, source):
    """A file that is neither a guide nor a manual page, such as a header."""
    page = Page(source, source.replace("/", "-").lstrip(".") + ".html", source)
    page.body = f'<pre tabindex="0"><code>{html.escape(page.read(tree))}</code></pre>'
    return page


class Links:
    """Where the references of pages lead."""

    def __init__(self, tree, pages):
        self.tree = tree
        self.pages = {page.source: page for page in pages}
        self.manual = {}
        for page in pages:
            if hasattr(page, "functions"):
                self.manual[page.title] = page.name
        for page in pages:
            for name in getattr(page, "functions", []):
                self.manual.setdefault(f"{name}({page.name.split('.')[-2]})", page.name)

    def resolve(self, source, target):
        """Return the address of a link in a file of the tree."""
        parts = urllib.parse.urlsplit(target)
        if parts.scheme or not parts.path:
            return target
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source),
                                                 urllib.parse.unquote(parts.path)))
        for candidate in (path, posixpath.join(path, "README.md")):
            if candidate in self.pages:
                break
        else:
            if path.startswith("..") or not os.path.exists(os.path.join(self.tree, path)):
                raise ValueError(f"refers to {target}, which does not exist")
            candidate = path
            if os.path.isdir(os.path.join(self.tree, path)):
                self.add_folder(path)
            else:
                self.pages[path] = make_listing(self.tree, path)
        return self.pages[candidate].name + (f"#{parts.fragment}" if parts.fragment else "")

    def add_folder(self, path):
        """Make a page for a folder without README.md: its files, and the names of its folders."""
        page = Page(path, path.replace("/", "-").lstrip(".") + ".html", path + "/")
        self.pages[path] = page
        items = []
        for name in sorted(os.listdir(os.path.join(self.tree, path))):
            if os.path.isfile(os.path.join(self.tree, path, name)):
                address = self.resolve(posixpath.join(path, "x"), urllib.parse.quote(name))
                items.append(f'<li><a href="{html.escape(address)}">{html.escape(name)}</a></li>')
            else:
                items.append(f"<li>{html.escape(name)}</li>")
        page.body = f"<ul>{''.join(items)}</ul>"

    def to_manual(self, name, section):
        """Return the address of a manual page."""
        known = self.manual.get(f"{name}({section})")
        if not known and name.startswith("mortise"):
            raise ValueError(f"there is no manual page {name}({section})")
        return known or ELSEWHERE.format(urllib.parse.quote(name), section)

    def link_mentions(self, text):
        """Make links of names such as mortise(8) in the text of a guide."""
        parts = re.split(r"(<a .*?</a>|<pre.*?</pre>|<code>.*?</code>|<h\d.*?</h\d>|<[^>]*>)", text,
                         flags=re.S)
        for i in range(0, len(parts), 2):
            parts[i] = re.sub(
                r"\b(mortise[a-z0-9_-]*)\(([1-9])\)",
                lambda found: f'<a href="{self.to_manual(found[1], found[2])}">{found[0]}</a>',
                parts[i])
        return "".join(parts)

    def title_links(self, source, text):
        """Name the links of a guide that show a path by the titles of their pages."""
        def replace(found):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(source), found[2]))
            page = self.pages.get(path) or self.pages.get(found[2])
            return found[0] if not page else f'{found[1]}{html.escape(page.title)}</a>'

        return re.sub(r'(<a href="[^"]*">)((?:\.\./)*[\w./-]+\.md)</a>', replace, text)


    def link_sections(self, text):
        """Make links of sections that are quoted before or after the name of their manual page."""
        page_of = r'<a (?:class="Xr" )?href="([^"#]*)">[^<]*\([1-9]\)</a>'
        quoted = r'(?:&#x201C;|&quot;)((?:(?!&#x201[CD];|&quot;)[^<])+)(?:&#x201D;|&quot;)'

        def replace(whole, name, quote):
            page = next((page for page in self.pages.values() if page.name == name), None)
            if not page:
                return whole
            title = " ".join(html.unescape(quote).split())
            for _, section, known in page.contents:
                if known == title:
                    return whole.replace(
                        quote, f'<a href="{name}#{html.escape(section)}">{quote}</a>', 1)
            raise ValueError(f"{name.removesuffix('.html')} has no section \"{title}\"")

        text = re.sub(rf"{page_of},\s+{quoted}",
                      lambda found: replace(found[0], found[1], found[2]), text)
        return re.sub(rf"{quoted}\s+in\s+{page_of}",
                      lambda found: replace(found[0], found[2], found[1]), text)


def add_ids(page, text):
    """Give headings the ids that repositories' web pages give them."""
    used = {}

    def replace(found):
        level, inner = int(found[1]), found[2]
        name = re.sub(r"[^\w\- ]", "", text_of(inner).lower()).replace(" ", "-")
        count = used.get(name, -1) + 1
        used[name] = count
        if count:
            name += f"-{count}"
        if level > 1:
            page.contents.append((level, name, text_of(inner)))
        return f'<h{level} id="{html.escape(name)}">{inner}</h{level}>'

    return re.sub(r"<h(\d)>(.*?)</h\1>", replace, text, flags=re.S)


def number_columns(table):
    """Align the columns of a table as its source does, without the attribute that HTML 5 lacks."""
    return re.sub(r' align="(right|center|left)"', r' class="\1"', table)


def render_guide(page, markdown, links):
    text = run("cmark-gfm", "--to", "html", "--extension", "table", "--extension", "strikethrough",
               text=markdown)
    if "<!-- raw HTML omitted -->" in text:
        raise ValueError("has HTML in it")
    text = re.sub(r'(<a href=)"([^"]*)"', lambda found: '{}"{}"'.format(found[1], html.escape(
        links.resolve(page.source, html.unescape(found[2])))), text)
    text = links.title_links(page.source, links.link_mentions(add_ids(page, text)))
    text = number_columns(text).replace("<pre>", '<pre tabindex="0">')
    text = re.sub(r"<th(?=[ >])", '<th scope="col"', text)
    # The corner of a table with names at both sides.
    text = re.sub(r"<th scope=\"col\"([^>]*)></th>", r"<td\1></td>", text)
    page.body = text.replace("<table>", TABLE + "<table>").replace("</table>", "</table></div>")


def render_manual(page, tree, links):
    text = run("mandoc", "-T", "html", "-O", "fragment", os.path.join(tree, page.source))
    text = re.sub(r'<table class="head">.*?</table>\n', "", text, flags=re.S)
    found = re.search(r'<td class="foot-date">(.*?)</td>', text)
    page.date = found[1] if found else ""
    text = re.sub(r'<table class="foot">.*?</table>\n', "", text, flags=re.S)
    text = re.sub(r'(<[a-z0-9]+[^>]*) style="[^"]*"', r"\1", text)
    # One description for several names.
    text = re.sub(r"\s*<dd[^>]*>(?:\s|&#x00A0;)*</dd>", "", text)
    # The title of the page is above the sections.
    for level in (2, 1):
        text = re.sub(rf"<h{level}( [^>]*)>(.*?)</h{level}>", rf"<h{level + 1}\1>\2</h{level + 1}>",
                      text, flags=re.S)
    for level, name, title in re.findall(r'<h(\d) class="S[hs]" id="([^"]*)">(.*?)</h\1>', text,
                                         re.S):
        page.contents.append((int(level), html.unescape(name), " ".join(text_of(title).split())))
    # mandoc leaves the first text of a section without its element.
    text = re.sub(rf"(</h[23]>\n)((?!<(?:{BLOCKS})).+?)(?=\s*<(?:{BLOCKS}))",
                  r'\1<p class="Pp">\2</p>', text, flags=re.S)
    text = re.sub(r'<p class="Pp">\s*</p>\n?', "", text)

    def refer(match):
        inner = text_of(match[1])
        name, section = re.fullmatch(r"(\S+)\(([0-9])\)", inner).groups()
        target = links.to_manual(name, section)
        return f'<a class="Xr" href="{html.escape(target)}">{match[1]}</a>'

    text = re.sub(r'<a class="Xr"[^>]*>(.*?)</a>', refer, text, flags=re.S)
    # An include file of C is not a link.
    text = re.sub(r'<a class="In"[^>]*>(.*?)</a>', r'<span class="In">\1</span>', text)

    def point(match):
        path = text_of(match[1])
        if path not in links.pages:
            return match[0]
        return f'<span class="Pa"><a href="{links.pages[path].name}">{match[1]}</a></span>'

    text = re.sub(r'<span class="Pa">([^<]*)</span>', point, text)
    text = text.replace("<pre>", '<pre tabindex="0">').replace("<br/>", "<br>")
    text = re.sub(r'<table class="(?!Nm)', lambda found: TABLE + found[0], text)
    text = re.sub(r'(<table class="(?!Nm).*?</table>)', r"\1</div>", text, flags=re.S)
    page.body = text
