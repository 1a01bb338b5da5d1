#!/usr/bin/env python3
"""browser.py PAGE [WIDTHxHEIGHT]: a page of srdiff in headless Chromium. Its slider, its sorting, its keys
and its list are used as a reader would; what is wrong is printed, and so is any message on the
browser's console. Ends with 77 where there is no Chromium.

The page is a copy beside the true one, with a script behind its own that leaves what it saw in an
attribute."""
import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

CHECK = r"""
<script>
"use strict";
addEventListener("load", async () => {
  const wrong = [], rows = () => [...document.querySelectorAll("#list button")];
  const expect = (words, found, expected) => {
    if (JSON.stringify(found) !== JSON.stringify(expected))
      wrong.push(`${words}: ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`);
  };
  const loaded = image => image.complete ? Promise.resolve()
    : new Promise(done => { image.addEventListener("load", done); image.addEventListener("error", done); });
  try {
    const pictures = data.pictures, names = () => rows().map(row => row.querySelector(".name").textContent);
    expect("names", new Set(names().slice(0, 20)).size > 0, true);
    /* As text: no name has become an element. */
    const allowed = new Set(["B", "BUTTON", "IMG", "LI", "OL", "SPAN", "P", "UL", "TABLE", "TR", "TH", "TD", "DIV", "H1",
      "HEADER", "MAIN", "SECTION", "INPUT", "SELECT", "OPTION", "LABEL", "NOSCRIPT", "SCRIPT", "TBODY"]);
    for (const element of document.body.querySelectorAll("*"))
      if (!allowed.has(element.tagName)) wrong.push("an element of a name: " + element.tagName);
    expect("a name ran as script", window.hurt === undefined, true);

    /* The slider: by its input, by a finger, by keys. */
    const at = () => getComputedStyle(document.getElementById("stage")).getPropertyValue("--at");
    const slider = document.getElementById("slider"), stage = document.getElementById("stage");
    const pressed = key => document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    if (!stage.classList.contains("single")) {
      slider.value = 20;
      slider.dispatchEvent(new Event("input"));
      expect("slider", at(), "20%");
      const box = stage.getBoundingClientRect();
      stage.setPointerCapture = () => {};
      stage.dispatchEvent(new PointerEvent("pointerdown", { clientX: box.left + box.width * 0.75, pointerId: 1 }));
      expect("touch", Math.abs(parseFloat(at()) - 75) < 1, true);
      const before = parseFloat(at());
      pressed("ArrowLeft");
      expect("key", parseFloat(at()) < before, true);
      await loaded(document.getElementById("right"));
      await loaded(document.getElementById("left"));
      expect("the picture is there", document.getElementById("right").naturalWidth > 0, true);
      expect("the other is there", document.getElementById("left").naturalWidth > 0, true);
      expect("both lie on each other", document.getElementById("left").getBoundingClientRect().height > 20, true);
    } else {
      wrong.push("nothing is compared");
    }

    /* Sorting by each figure, both ways. */
    const sort = document.getElementById("sort"), turn = document.getElementById("turn");
    for (const option of sort.options) {
      sort.value = option.value;
      sort.dispatchEvent(new Event("change"));
      const figure = Number(option.value);
      if (figure < data.figures.length) {
        const badness = name => Math.max(...pictures.filter(p => p.name === name).map(p => p.failed ? Infinity
          : p.values[figure] === null ? -Infinity : p.values[figure] === "inf"
          ? (data.figures[figure].better === "higher" ? -1e30 : 1e30)
          : { lower: p.values[figure], higher: -p.values[figure], "near 1": Math.abs(p.values[figure] - 1) }[data.figures[figure].better]));
        const found = names().slice(0, 40).map(badness);
        expect("worst first by " + option.text, found, [...found].sort((a, b) => b - a));
      } else {
        expect("by name", names().slice(0, 40), pictures.map(p => p.name).sort().slice(0, Math.min(40, names().length)));
      }
      const top = names()[0];
      turn.click();
      if (pictures.length > 1 && figure === data.figures.length) expect("turned", names()[0] !== top, true);
      turn.click();
      expect("turned back", names()[0], top);
    }

    /* Up and down choose pictures, and the list grows as far as it is followed. */
    rows()[0].click();
    expect("chosen", rows()[0].getAttribute("aria-current"), "true");
    const last = Math.min(pictures.length, 200) - 1;
    for (let i = 0; i < last; ++i) pressed("ArrowDown");
    expect("below", rows()[last].getAttribute("aria-current"), "true");
    expect("name", document.getElementById("name").textContent, rows()[last].querySelector(".name").textContent);
    expect("not all at once", rows().length <= last + 400, true);
    expect("no wider than the screen", document.documentElement.scrollWidth <= innerWidth, true);
  } catch (error) {
    wrong.push(String(error));
  }
  document.documentElement.dataset.wrong = JSON.stringify(wrong);
});
</script>
"""


def browser():
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def main(page, size="1280x800"):
    program = browser()
    if program is None:
        print("skipped: there is no Chromium (apt-get install chromium)")
        return 77
    copy = os.path.join(os.path.dirname(os.path.abspath(page)), "checked-" + os.path.basename(page))
    with open(page, encoding="utf-8") as file:
        text = file.read()
    without_data = re.sub(r'"data:[^"]*"', '""', text)
    outside = re.findall(r'(?:https?:)?//[^\s"\'<>]+', without_data)
    if outside:
        print("names places elsewhere:", outside)
        return 1
    with open(copy, "w", encoding="utf-8") as file:
        file.write(text.replace("</body>", CHECK + "</body>"))
    with tempfile.TemporaryDirectory(prefix="srdiff-browser-") as profile:
        run = subprocess.run(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--enable-logging=stderr", f"--user-data-dir={profile}", f"--window-size={size.replace('x', ',')}",
             "--virtual-time-budget=20000", "--dump-dom", "file://" + copy],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=240)
    os.unlink(copy)
    seen = re.search(r'<html[^>]* data-wrong="([^"]*)"', run.stdout.decode("utf-8", "replace"))
    wrong = json.loads(html.unescape(seen.group(1))) if seen else ["the page's scripts did not end"]
    wrong += [line for line in run.stderr.decode("utf-8", "replace").splitlines() if "CONSOLE" in line]
    print("\n".join(wrong) if wrong else "the page works")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
