#!/usr/bin/env python3
"""run_documents.py has to notice a command that fails, and commands that nobody marked.

    run_documents_test.py --srdiff PROGRAM --source REPOSITORY
"""
import subprocess
import sys
import tempfile
from pathlib import Path

RUNNER = Path(__file__).with_name("run_documents.py")


def faults(text: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        document = Path(folder) / "document.md"
        document.write_text(text)
        done = subprocess.run([sys.executable, str(RUNNER), *sys.argv[1:], str(document)], stderr=subprocess.PIPE, text=True)
    return done.stderr if done.returncode else ""


def expect(text: str, *words: str) -> None:
    found = faults(text)
    if not words and found or any(word not in found for word in words):
        sys.exit(f"for\n{text}\nexpected {words or 'no fault'}, not\n{found}")


expect("<!-- run -->\n\n    srdiff compare a.png b.png\n")
expect("<!-- run -->\n\n```\nsrdiff compare a.png b.png --no-such-option\n```\n", "document.md:4: ended with status 4")
expect("<!-- run -->\n\n    srdiff compare a.png missing.png\n    true\n", "document.md:3: ended with status", "missing.png")
expect("Words.\n\n    srdiff compare a.png b.png\n", "document.md:3: commands without a mark")
expect("<!-- run -->\n\nWords between.\n\n    srdiff compare a.png b.png\n", "document.md:5: commands without a mark")
expect("<!-- not run: not ours -->\n\n    srdiff compare a.png missing.png\n")
expect("Words.\n\n    x = 1\n")
