#!/usr/bin/env python3
"""Whether check_includes.py notices what it is for, on small trees of its own."""
import tempfile
import unittest
from pathlib import Path

import check_includes


class CheckIncludes(unittest.TestCase):
    def faults(self, files: dict[str, str]) -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for name, text in files.items():
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            return list(check_includes.faults(root))

    def test_an_include_downwards_is_none(self):
        self.assertEqual([], self.faults({
            "src/base/error.cc": '#include "srdiff/error.h"\n', "include/srdiff/error.h": "",
            "src/method/noise.cc": '#include "engine/backend.h"\n#include "srdiff/error.h"\n'}))

    def test_an_include_upwards(self):
        self.assertEqual(
            ["src/engine/network.cc: engine must not include method/sampler.h of method"],
            self.faults({"src/engine/network.cc": '#include "method/sampler.h"\n'}))

    def test_an_include_of_a_public_header_upwards(self):
        self.assertEqual(
            ["src/base/file_io.cc: base must not include srdiff/sampler.h of method"],
            self.faults({"src/base/file_io.cc": '#include "srdiff/sampler.h"\n',
                         "src/method/sampler.cc": ""}))

    def test_one_back_end_in_the_other(self):
        self.assertEqual(1, len(self.faults({
            "src/engine/cpu/norm.cc": '#include "engine/cuda/operators.h"\n'})))

    def test_a_source_in_no_room(self):
        self.assertEqual(["src/new.cc: lies in no room (.)"], self.faults({"src/new.cc": ""}))

    def test_a_device_above_the_engine(self):
        for text in ("if (x.is_cpu()) {}\n", "x.is_cuda();\n", "#ifdef SRDIFF_CUDA\n"):
            self.assertEqual(1, len(self.faults({"src/pipeline/upscaler.cc": text})), text)
            self.assertEqual([], self.faults({"src/engine/device.cc": text}))

    def test_an_option_in_the_librarys_words(self):
        throws = 'throw UsageError("no tiles; leave out --tile");\n'
        self.assertEqual(
            ["src/base/error.cc: names --tile, which is the command line's: see ErrorCode"],
            self.faults({"src/base/error.cc": throws}))
        self.assertEqual([], self.faults({"src/base/error.cc": '// "--tile" is an option\n--count;\n',
                                          "apps/srdiff/remedies.cc": throws}))

    def test_a_long_file(self):
        self.assertEqual(["apps/srdiff/main.cc: 451 lines; at most 450"],
                         self.faults({"apps/srdiff/main.cc": "\n" * 451}))


if __name__ == "__main__":
    unittest.main()
