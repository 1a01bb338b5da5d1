"""One line in place of a traceback where the interpreter lacks a package."""
import importlib.util
import os
import sys

PACKAGES = {"torch": ("torch", "python3-torch"), "numpy": ("numpy", "python3-numpy"), "PIL": ("pillow", "python3-pil")}


def need(*modules: str):
    missing = [PACKAGES[module] for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        pip, debian = (" ".join(names) for names in zip(*missing))
        raise SystemExit(f"{os.path.basename(sys.argv[0])}: {sys.executable} lacks {', '.join(pip.split())}: run "
                         f"{sys.executable} -m pip install {pip}, or apt-get install {debian} and use /usr/bin/python3")
