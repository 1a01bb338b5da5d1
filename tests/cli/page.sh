#!/usr/bin/env bash
# page.sh CASE: --html, whose page is looked at in headless Chromium where there is one.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# works PAGE: in the browser, on a desktop's screen and on a phone's.
works() {
  for size in 1280x800 390x844; do
    status=0
    "$PYTHON" "$here/browser.py" "$1" "$size" >"$logs/stdout" 2>"$logs/stderr" || status=$?
    [[ $status -ne 77 ]] || skip "$(cat "$logs/stdout")"
    [[ $status -eq 0 ]] || fail "$1 at $size: $(cat "$logs/stdout")"
  done
}

hostile_name='<img src=x onerror="window.hurt=1">&'\''#%?.png'

make_folder() {
  pictures many in 3
  cp in/0.png "in/$hostile_name"
  mkdir in/sub
  cp in/1.png 'in/sub/in a folder.png'
}

case_of_a_folder() {
  make_folder
  upscales in out --recursive --html page.html
  grep -q '"name":"sub/in a folder.png"' page.html || fail 'a name is missing'
  grep -qF '"after":"./out/sub/in%20a%20folder.png"' page.html || fail 'an address is missing'
  ! grep -qF '<img src=x' page.html || fail 'a name has become an element'
  [[ $(grep -o '"name":' page.html | wc -l) -eq 8 ]] || fail 'not five pictures and three figures'
}

case_of_failures() {
  make_folder
  echo 'no picture' >in/bad.png
  run upscale --model tiny in out --html page.html
  [[ $status -eq 1 ]] || fail "ended with $status"
  grep -qF '"note":"is not a picture that srdiff reads' page.html || fail 'the reason is missing'
  run upscale --model tiny in out --resume --html page.html
  grep -qF '"note":"done by an earlier run"' page.html || fail 'what was skipped is not told'
}

case_of_an_evaluation() {
  mkdir truth
  for number in 0 1 2; do pictures make "truth/$number.png" $((24 + 2 * number))x20; done
  succeeds eval --model tiny --reference truth --save out --html page.html --metrics psnr,ssim,sharpness
  grep -qF '"before":"data:image/png;base64,' page.html || fail 'the input is missing'
  grep -qF '"after":"./out/0.png","truth":"./truth/0.png"' page.html || fail 'an address is missing'
  succeeds eval --output out --reference truth --html other.html
  ! grep -qF '"before":"' other.html || fail 'an input that nobody knows'
  grep -qF '"after":"./out/2.png","truth":"./truth/2.png"' other.html || fail 'an address is missing'
}

case_is_refused() {
  make_folder
  mkdir truth
  pictures make truth/0.png 24x20
  refuses 2 'page.png: names no page; give a name that ends in .html' \
    upscale --model tiny in out --html page.png
  refuses 1 'no/page.html: cannot be written' upscale --model tiny in out --html no/page.html
  echo 'mine' >page.html
  refuses 2 'page.html: exists and is no page of srdiff' upscale --model tiny in out --html page.html
  refuses 2 'is no folder, which --html needs' upscale --model tiny in/0.png out.png --html a.html
  refuses 2 '--html shows the pictures that --save keeps' \
    eval --model tiny --reference truth --html a.html
}

case_in_a_browser() {
  make_folder
  echo 'no picture' >in/bad.png
  run upscale --model tiny in out --html page.html
  works page.html
}

case_an_evaluation_in_a_browser() {
  mkdir truth
  for number in 0 1 2 3 4; do pictures make "truth/$number.png" $((24 + 2 * number))x20; done
  pictures make "truth/$hostile_name" 20x20
  succeeds eval --model tiny --reference truth --save out --html page.html --metrics psnr,ssim,sharpness
  works page.html
}

# As many as a large evaluation has; the page makes a few rows at a time.
case_five_thousand_in_a_browser() {
  make_folder
  upscales in out --recursive --html page.html
  "$PYTHON" - <<'END'
import json, random, re
text = open("page.html", encoding="utf-8").read()
found = re.search(r'(<script id="data"[^>]*>)(.*?)(</script>)', text, re.S)
data = json.loads(found[2])
draw = random.Random(1)
one = next(picture for picture in data["pictures"] if "after" in picture)
data["pictures"] = [{**one, "name": f"{i}.png", "values": [draw.random() for _ in data["figures"]]}
                    for i in range(5000)]
open("page.html", "w", encoding="utf-8").write(
    text[:found.start(2)] + json.dumps(data).replace("<", "\\u003c") + text[found.end(2):])
END
  works page.html
}

run_case "$1"
