#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Looks at each page of a site in chromium: site_browser.py FOLDER [PICTURES].

Each page is loaded from its file, without scripts, at two widths and in both color schemes. Reported are
missing resources, messages of the console, text or boxes wider than the window, text whose contrast with
its background is below 4.5 (3 for large text and for the parts of a chart), and a front page that is
longer than a screen. A screenshot of each is written to PICTURES.
"""
import base64
import json
import os
import subprocess
import sys
import tempfile

WIDTHS = (360, 1280)
SCREEN = 960  # height of the window
SCHEMES = ("light", "dark")

# Runs in the page, whose own scripts are disabled. Returns a list of errors.
LOOK = r"""
(() => {
	const errors = [], seen = new Set(), wide = document.documentElement.clientWidth;
	const say = (what, element) => {
		const text = what + ": <" + element.tagName.toLowerCase() + "> " +
			(element.textContent || "").trim().replace(/\s+/g, " ").slice(0, 40);
		if (!seen.has(text)) { seen.add(text); errors.push(text); }
	};
	if (document.documentElement.scrollWidth > wide)
		errors.push("the page is " + document.documentElement.scrollWidth + " pixels wide");
	const scrolls = e => e && (["auto", "scroll"].includes(getComputedStyle(e).overflowX) ||
		scrolls(e.parentElement));
	const channel = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
	const parse = text => { const n = text.match(/[\d.]+/g).map(Number);
		return n.length < 4 ? [...n, 1] : n; };
	const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
	const contrast = (a, b) => { const [x, y] = [light(a), light(b)];
		return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05); };
	const paper = e => { for (; e; e = e.parentElement) {
		const c = parse(getComputedStyle(e).backgroundColor);
		if (c[3] === 1) return c; }
		return matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255]; };
	for (const e of document.body.querySelectorAll("*")) {
		const style = getComputedStyle(e), box = e.getBoundingClientRect();
		if (style.display === "none" || e.classList.contains("skip")) continue;
		if (box.width && box.right > wide + 1 && !scrolls(e.parentElement) && !e.closest("svg"))
			say("wider than the window", e);
		// A box that hides its end, such as a table cell with a long word.
		if (style.overflowX === "visible" && e.scrollWidth > e.clientWidth + 1 && e.clientWidth &&
		    style.display !== "inline" && !scrolls(e) && !e.closest("svg"))
			say("its contents are wider", e);
		if (["pre", "figure"].includes(e.tagName.toLowerCase()) && scrolls(e) &&
		    e.scrollWidth > e.clientWidth && e.tabIndex < 0)
			say("scrolls, but not with the keyboard", e);
		if (e.closest(".chart svg") && e.tagName === "rect") {
			if (style.fill !== "none" && contrast(parse(style.fill), paper(e)) < 3)
				say("contrast of a bar", e);
			continue;
		}
		const own = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
		if (!own || ["title", "desc"].includes(e.tagName)) continue;
		const size = parseFloat(style.fontSize);
		const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
		const ink = parse(e.closest("svg") ? style.fill === "none" ? style.color : style.fill :
			style.color);
		const found = contrast(ink, paper(e));
		if (found < (large ? 3 : 4.5)) say("contrast " + found.toFixed(2), e);
		if (size < 11 && !e.closest("svg.plot")) say("letters of " + size + " pixels", e);
	}
	for (const image of document.images)
		if (!image.complete || !image.naturalWidth) say("no image " + image.src, image);
	if (![...document.styleSheets].some(sheet => sheet.href))
		errors.push("no style sheet");
	return JSON.stringify({ errors, height: document.documentElement.scrollHeight });
})()
"""


class Browser:
    """A headless browser, controlled by its DevTools protocol through a pair of pipes."""

    def __init__(self, profile):
        to_read, self.to_write = os.pipe()
        self.from_read, from_write = os.pipe()
        command = ["chromium", "--headless", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
                   "--disable-dev-shm-usage", "--disable-background-networking",
                   "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}",
                   "--remote-debugging-pipe", "about:blank"]
        if os.geteuid() == 0:
            command.insert(1, "--no-sandbox")  # the sandbox refuses root; the pages are the tree's own

        # The browser reads from descriptor 3 and writes to 4.
        saved = [os.dup2(number, number + 100) for number in (to_read, from_write)]

        def connect():
            os.dup2(saved[0], 3)
            os.dup2(saved[1], 4)

        self.process = subprocess.Popen(  # pylint: disable=consider-using-with,subprocess-popen-preexec-fn
            command, preexec_fn=connect, pass_fds=(3, 4), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for number in (to_read, from_write, *saved):
            os.close(number)
        self.number, self.rest, self.events, self.session = 0, b"", [], None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(domain + ".enable")

    def receive(self):
        while b"\0" not in self.rest:
            more = os.read(self.from_read, 1 << 20)
            if not more:
                sys.exit("chromium has ended")
            self.rest += more
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to_write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    sys.exit(f"{method}: {answer['error']['message']}")
                return answer["result"]
            if "method" in answer:
                self.events.append(answer)

    def wait(self, method):
        while not any(event["method"] == method for event in self.events):
            self.events.append(self.receive())

    def evaluate(self, script):
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in result:
            sys.exit(f"the script fails: {result['exceptionDetails']}")
        return result["result"].get("value")

    def close(self):
        self.call("Browser.close")
        self.process.wait()


def problems(events):
    """Return what the browser has reported: missing files, and messages of the console."""
    for event in events:
        given = event["params"]
        if event["method"] == "Network.loadingFailed":
            yield "a resource is missing: " + given.get("errorText", "")
        elif event["method"] == "Network.requestWillBeSent":
            if not given["request"]["url"].startswith(("file:", "data:", "about:")):
                yield "asks for " + given["request"]["url"]
        elif event["method"] == "Log.entryAdded":
            yield "console: " + given["entry"]["text"]


def look(browser, folder, name, pictures):
    """Return the errors of a page."""
    errors = []
    for width in WIDTHS:
        browser.call("Emulation.setDeviceMetricsOverride", width=width, height=SCREEN,
                     deviceScaleFactor=1, mobile=width < 500)
        for scheme in SCHEMES:
            browser.call("Emulation.setEmulatedMedia",
                         features=[{"name": "prefers-color-scheme", "value": scheme}])
            browser.events.clear()
            browser.call("Page.navigate", url="file://" + os.path.join(folder, name))
            browser.wait("Page.loadEventFired")
            found = json.loads(browser.evaluate(LOOK))
            where = f"{name}, {width} pixels, {scheme}: "
            errors += [where + text for text in found["errors"] + list(problems(browser.events))]
            if name == "index.html" and width > 1000 and found["height"] > SCREEN:
                errors.append(where + f"{found['height']} pixels high")
            if pictures:
                shot = browser.call("Page.captureScreenshot", captureBeyondViewport=True, clip={
                    "x": 0, "y": 0, "width": width, "height": min(found["height"], 12000), "scale": 1})
                path = os.path.join(pictures, f"{name.removesuffix('.html')}-{width}-{scheme}.png")
                with open(path, "wb") as file:
                    file.write(base64.b64decode(shot["data"]))
    if not browser.evaluate("document.documentElement.outerHTML").startswith("<html"):
        errors.append(f"{name}: no document")
    return errors


def main():
    folder = os.path.abspath(sys.argv[1])
    pictures = sys.argv[2] if len(sys.argv) > 2 else None
    if pictures:
        os.makedirs(pictures, exist_ok=True)
    names = sorted(name for name in os.listdir(folder) if name.endswith(".html"))
    with tempfile.TemporaryDirectory() as profile:
        browser = Browser(profile)
        browser.call("Emulation.setScriptExecutionDisabled", value=True)
        errors = [error for name in names for error in look(browser, folder, name, pictures)]
        browser.close()
    for error in errors:
        print(error)
    if not names or errors:
        return 1
    print(f"ok - {len(names)} pages in a browser, {len(WIDTHS)} widths, {len(SCHEMES)} color schemes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
