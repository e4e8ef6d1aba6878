# SPDX-License-Identifier: MIT
"""Charts of tools/site. Each is drawn as SVG from a table of docs/performance.md, in the colors of
style.css."""
import collections
import html
import re

# heading: of the table in docs/performance.md. series: column and label. rows: those that match.
Chart = collections.namedtuple("Chart", "name heading title unit better rows series replaces")

BOTH = (("cryptsetup", "cryptsetup"), ("mortise", "mortise"))
CHARTS = [
    Chart("unlock", "1 GiB and 64 MiB", "Unlock a keyslot: Argon2id, 4 passes", "ms", "lower",
          "", BOTH, "unlock.svg"),
    Chart("process", "The rest of an unlock", "Unlock a keyslot of the lowest cost", "ms", "lower",
          "", (("ms", ""),), None),
    Chart("process-memory", "The rest of an unlock", "Peak memory of this unlock", "KiB", "lower",
          "", (("peak memory, KiB", ""),), None),
    Chart("sealed", "Keys from a KMS or a TPM", "Unlock with a key from a KMS or TPM", "ms", "lower",
          "", (("ms", ""),), None),
    Chart("reencrypt", "Reencryption", "Encrypt in place and re-encrypt, 512-byte sectors", "MB/s",
          "higher", "^(encrypt|reencrypt)",
          (("512: cryptsetup, MB/s", "cryptsetup"), ("mortise, MB/s", "mortise")), None),
    Chart("size", "Installed size", "Installed size with libraries", "MB", "lower",
          "", (("total", ""),), None),
    Chart("memory", "Peak resident memory by verb, KiB", "Peak memory by verb", "KiB", "lower",
          "^(luksDump|open|luksFormat|luksAddKey)",
          (("cryptsetup", "cryptsetup"), ("mortise, shared", "mortise, shared"),
           ("mortise, musl, LUKS2 verbs", "mortise, musl, LUKS2 verbs")), None),
]
WIDTH = 400  # units of the drawing, which are pixels on a telephone
BAR = 14
VALUE = 74  # space for the figure behind a bar


class Tables:
    """The tables of a Markdown file, each by the heading above it."""

    def __init__(self, text):
        self.tables = {}
        heading, rows = "", []
        for line in text.split("\n") + [""]:
            if line.startswith("|"):
                rows.append([cell.strip() for cell in line.strip().strip("|").split("|")])
                continue
            if len(rows) > 2:
                self.tables.setdefault(heading, (rows[0], rows[2:]))
            rows = []
            if line.startswith("#"):
                heading = line.lstrip("#").strip()

    def of(self, heading):
        if heading not in self.tables:
            raise ValueError(f"docs/performance.md has no table below \"{heading}\"")
        return self.tables[heading]

    def cell(self, heading, row, column):
        """Return the text of a cell. Of columns with the same name, the first one counts."""
        titles, rows = self.of(heading)
        for cells in rows:
            if cells[0].strip("*") == row and column in titles:
                return cells[titles.index(column)].strip("*")
        raise ValueError(f"docs/performance.md, \"{heading}\", has no \"{row}\", \"{column}\"")


def value_of(text):
    """Return the first number of a cell: "4,000 (3,912)" is 4000."""
    found = re.match(r"\**([0-9][0-9,]*(?:\.[0-9]+)?)", text)
    if not found:
        raise ValueError(f"docs/performance.md: \"{text}\" is not a number")
    return float(found[1].replace(",", ""))


def show(value, unit):
    if unit == "MB":
        value = value / 1e6
        return f"{value:.1f} {unit}" if value >= 2 else f"{value:.2f} {unit}"
    return f"{value:,.1f} {unit}" if value % 1 else f"{value:,.0f} {unit}"


def rows_of(chart, tables):
    rows = tables.of(chart.heading)[1]
    names = [cells[0].strip("*") for cells in rows if re.search(chart.rows, cells[0])]
    return [(name.replace("`", ""), [(label, value_of(tables.cell(chart.heading, name, column)))
                                     for column, label in chart.series]) for name in names]


def draw(chart, tables):
    """Return a figure: bars below the name of each row, one for each series."""
    rows = rows_of(chart, tables)
    most = max(value for _, values in rows for _, value in values)
    single = len(chart.series) == 1
    parts, texts, y = [], [], 4
    for label, values in rows:
        shown = [show(value, chart.unit) for _, value in values]
        texts.append(label + ": " + ", ".join(
            f"{name} {text}".strip() for (name, _), text in zip(values, shown)))
        parts.append(f'<text class="label" x="0" y="{y + 12}">{html.escape(label)}</text>')
        y += 18
        for number, ((_, value), text) in enumerate(zip(values, shown)):
            kind = ("other" if label.startswith("cryptsetup") else "own") if single else \
                ("other", "own", "second")[number]
            width = max(value / most * (WIDTH - VALUE), 1)
            parts.append(f'<rect class="{kind}" x="0" y="{y}" width="{width:.1f}" '
                         f'height="{BAR}" rx="2"/>'
                         f'<text class="value" x="{width + 6:.1f}" y="{y + 11}">{text}</text>')
            y += BAR + 3
        y += 5
    name = f"chart-{chart.name}"
    key = "" if single else '<p class="key">' + " ".join(
        f'<span class="{kind}"></span>{html.escape(label)}'
        for kind, (_, label) in zip(("other", "own", "second"), chart.series)) + "</p>"
    return (f'<figure class="chart"><figcaption>{html.escape(chart.title)} '
            f'({chart.unit}, {chart.better} is better)</figcaption>{key}'
            f'<svg viewBox="0 0 {WIDTH} {y}" role="img" aria-labelledby="{name}-t {name}-d">'
            f'<title id="{name}-t">{html.escape(chart.title)}</title>'
            f'<desc id="{name}-d">{html.escape("; ".join(texts))}</desc>'
            f'{"".join(parts)}</svg></figure>')


def mark(text):
    """Add a paragraph after each table of the text that is drawn: where the pictures belong."""
    result, heading, table, done = [], "", False, set()
    for line in text.split("\n"):
        if table and not line.startswith("|"):
            for chart in CHARTS:
                if chart.heading == heading and not chart.replaces and chart.name not in done:
                    done.add(chart.name)
                    result += ["", f"CHART={chart.name}"]
        table = line.startswith("|")
        if line.startswith("#"):
            heading = line.lstrip("#").strip()
        result.append(line)
    return "\n".join(result)


def place(page, tables):
    """Put the charts in the places that mark() has made, and in those of pictures that they replace."""
    for chart in CHARTS:
        place_of = rf'<p><img src="{re.escape(chart.replaces)}"[^>]*></p>' if chart.replaces else \
            f"<p>CHART={chart.name}</p>"
        page, count = re.subn(place_of, lambda _, chart=chart: draw(chart, tables), page)
        if count != 1:
            raise ValueError(f"no place for the chart {chart.name}")
    # Neighbors share a row.
    return re.sub(r"(?:<figure class=\"chart\">.*?</figure>\s*)+",
                  lambda found: f'<div class="charts">{found[0]}</div>', page, flags=re.S)


# The ink of gnuplot's pictures, which are drawn for white paper.
INK = {
    "black": "currentColor", "#ffffff": "none", "rgb(221, 221, 221)": "var(--line)",
    "rgb(238, 238, 238)": "var(--line)", "rgb(102, 102, 102)": "var(--soft)",
    "rgb(153, 153, 153)": "var(--soft)", "rgb(51,51,51)": "currentColor"}


def adopt(svg, alt, prefix):
    """Return a figure with a picture of gnuplot, in the colors of the page and with ids of its own."""
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r"<(title|desc)>.*?</\1>\s*", "", svg, flags=re.S)
    svg = re.sub(r"<filter.*?</filter>\s*", "", svg, flags=re.S)
    for ink, color in INK.items():
        svg = svg.replace(f"'{ink}'", f"'{color}'").replace(f'"{ink}"', f'"{color}"')
    svg = re.sub(r"\b(id)=(['\"])", rf"\1=\2{prefix}-", svg)
    svg = re.sub(r"href=(['\"])#", rf"href=\1#{prefix}-", svg)
    svg = svg.replace(" xmlns=\"http://www.w3.org/2000/svg\"\n", "").replace(
        " xmlns:xlink=\"http://www.w3.org/1999/xlink\"\n", "").replace("xlink:href", "href")
    svg = svg.replace("<svg", f'<svg class="plot" role="img" aria-label="{html.escape(alt)}"', 1)
    svg = re.sub(r"\n\s*\n+", "\n", svg)
    return f'<figure class="scroll" tabindex="0">{svg.rstrip()}</figure>'
