# SPDX-License-Identifier: MIT
"""Pictures of bench/report. gnuplot draws them as SVG, which is embedded in the page."""
import html
import re
import subprocess

# Paul Tol's "bright" colors, distinguishable with color blindness. Gray is for limits.
COLORS = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#994400", "#222222"]
GRAY = "#999999"
LONG = 10  # characters; longer names of categories are rotated
POINTS = [7, 5, 9, 13, 11, 6, 4, 8]


class GnuplotMissing(Exception):
    """gnuplot is not installed."""


def plain(text):
    """Replace characters that would end a string of gnuplot, or that gnuplot would interpret."""
    text = re.sub(r"[\x00-\x1f]", " ", str(text))
    return text.translate({ord("'"): "\u2019", ord("`"): "\u2019", ord('"'): "\u201d", ord("\\"): "/"})


def quote(text):
    return "'" + plain(text) + "'"


def gnuplot(script, title):
    """Return the svg element that the script draws, with a title for screen readers."""
    try:
        done = subprocess.run(["gnuplot", "-"], input=script, capture_output=True, text=True,
                              check=False)
    except FileNotFoundError as error:
        raise GnuplotMissing("gnuplot is not installed (Debian: gnuplot-nox)") from error
    start = done.stdout.find("<svg")
    if done.returncode or start < 0 or "error" in done.stderr.lower():
        raise RuntimeError("gnuplot: " + done.stderr.strip())
    svg = done.stdout[start:done.stdout.rindex("</svg>") + len("</svg>")]
    return re.sub(r"<title>[^<]*</title>", lambda _: f"<title>{html.escape(plain(title))}</title>",
                  svg, count=1)


def frame(name, title, ylabel, height):
    """Return the start of a script. name makes the ids unique within a page."""
    return [
        f"set terminal svg size 720,{height} dynamic noenhanced rounded font 'sans-serif,14' "
        f"name {quote(name)} background '#ffffff'",
        "set title " + quote(title) + " font ',16'",
        "set ylabel " + quote(ylabel),
        "set border 3 linecolor '#666666'",
        "set tics nomirror textcolor '#333333'",
        "set grid ytics linecolor '#dddddd'",
        "set key below left reverse Left maxcols 1 samplen 2",
        "set lmargin 12",
        "set rmargin 4",
    ]


def lines(name, title, axes, series):
    """
    Draw a line chart. axes: xlabel, ylabel, xtics as (text, value), logy, ymax. series: (label,
    points, limit) with points (x, y, low, high); a limit is drawn gray and dashed.
    """
    script = frame(name, title, axes["ylabel"], 380 + 20 * len(series))
    script.append("set xlabel " + quote(axes["xlabel"]) + " offset 0,0.8")
    script.append("set logscale x 2")
    if axes.get("logy"):
        script.append("set logscale y 10")
        script.append("set grid ytics mytics linecolor '#dddddd', linecolor '#eeeeee'")
    else:
        script.append(f"set yrange [0:{axes.get('ymax', '*')}]")
    ticks = ", ".join(f"{quote(text)} {value}" for text, value in axes["xtics"])
    script.append(f"set xtics ({ticks})")
    values = [value for _, value in axes["xtics"]]
    script.append(f"set xrange [{min(values) / 1.3}:{max(values) * 1.3}]")
    plots, data, color = [], [], 0
    for label, points, limit in series:
        if limit:
            style = f"linespoints linewidth 2 dashtype 2 linecolor '{GRAY}' pointtype 2 pointsize 0.6"
            spread = GRAY
        else:
            spread = COLORS[color % len(COLORS)]
            style = (f"linespoints linewidth 2 linecolor '{spread}' pointsize 0.7 "
                     f"pointtype {POINTS[color % len(POINTS)]}")
            if color >= len(COLORS):
                style += " dashtype 4"
            color += 1
        plots.append(f"'-' using 1:2 with {style} title {quote(label)}")
        data.append("".join(f"{x} {y}\n" for x, y, _, _ in points) + "e\n")
        if any(low < high for _, _, low, high in points):
            plots.append("'-' using 1:3:(0):($4-$3) with vectors nohead linewidth 1 "
                         f"linecolor '{spread}' notitle")
            data.append("".join(f"{x} {y} {low} {high}\n" for x, y, low, high in points) + "e\n")
    script.append("plot " + ", ".join(plots))
    return gnuplot("\n".join(script) + "\n" + "".join(data), title)


def bars(name, title, ylabel, categories, series):
    """Draw a bar chart. series: (label, a value or None for each category)."""
    script = frame(name, title, ylabel, 440)
    script += ["set style data histograms", "set style histogram clustered gap 1",
               "set style fill solid 0.9 noborder", "set boxwidth 0.9",
               "set yrange [0:*]", "set xtics scale 0 font ',13'",
               "set key above left Left reverse maxcols 2", "set datafile missing '?'"]
    if any(len(str(text)) > LONG for text in categories):
        script += ["set xtics rotate by -25", "set bmargin 7", "set rmargin 10"]
    plots, data = [], []
    for number, (label, values) in enumerate(series):
        color = COLORS[number % len(COLORS)]
        plots.append(f"'-' using 2:xtic(1) linecolor '{color}' title {quote(label)}")
        rows = zip(categories, values)
        data.append("".join(f'"{plain(text)}" {value if value is not None else "?"}\n'
                            for text, value in rows) + "e\n")
    script.append("plot " + ", ".join(plots))
    return gnuplot("\n".join(script) + "\n" + "".join(data), title)
