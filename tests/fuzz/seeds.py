"""seeds.py MODELS OUT: seeds that the hostile corpus has not: OUT/network, OUT/npz, OUT/journal. Those of
networks are the small members of the files in MODELS, and archives of such members.
"""
import io
import os
import struct
import sys
import zipfile

models, out = sys.argv[1:]
MOST = 20_000  # run.sh's longest input


def write(folder: str, name: str, data: bytes):
    os.makedirs(os.path.join(out, folder), exist_ok=True)
    with open(os.path.join(out, folder, name), "wb") as file:
        file.write(data[:MOST])


def archive(members: dict, packed: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packed) as written:
        for name, data in members.items():
            written.writestr(zipfile.ZipInfo(name), data, packed)
    return file.getvalue()


def npy(values: list, shape: str, kind: str = "<f8") -> bytes:
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (-(10 + len(header) + 1) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + \
        struct.pack(f"<{len(values)}{'d' if kind == '<f8' else 'f'}", *values)


CODE = """class N(Module):
  __parameters__ = ["w", ]
  w : Tensor
  training : bool
  def forward(self: __torch__.N,
    x: Tensor) -> Tensor:
    _0 = __torch__.torch.nn.functional.relu
    for i in range(3):
      x = torch.add(_0(x, ), ops.prim.data(self.w), alpha=1)
    return torch.conv2d(x, self.w, None, [1, 1], [1, 1])
"""

write("network", "code", b"\0" + CODE.encode())
for folder, _, files in os.walk(models):
    for name in files:
        if not name.endswith(".pt"):
            continue
        with zipfile.ZipFile(os.path.join(folder, name)) as network:
            for number, member in enumerate(network.namelist()):
                kind = b"\0" if member.endswith(".py") else b"\1" if member.endswith("pkl") else b""
                if kind:
                    write("network", f"{os.path.basename(folder)}-{name}-{number}", kind + network.read(member))
pickle = b"\x80\x02c__torch__\nN\nq\0)\x81}(X\x08\0\0\0trainingq\x01\x89ub."
write("network", "pickle", b"\1" + pickle)
whole = {"n/data.pkl": pickle, "n/code/__torch__.py": CODE.encode(), "n/data/0": bytes(64),
         "n/constants.pkl": b"\x80\x02).", "n/version": b"3\n"}
write("network", "archive", b"\2" + archive(whole))
write("network", "packed", b"\2" + archive({"n/version": b"3\n", "n/code/__torch__.py": CODE.encode()},
                                          zipfile.ZIP_DEFLATED))

arrays = {"mu.npy": npy([1.0, 2.0], "(2,)"), "sigma.npy": npy([1.0, 0.0, 0.0, 1.0], "(2, 2)"),
          "features.npy": npy([1.0] * 6, "(3, 2)", "<f4"), "srdiff.json": b'{"network": "x"}'}
write("npz", "stored", archive(arrays))
write("npz", "packed", archive(arrays, zipfile.ZIP_DEFLATED))
write("npz", "one", archive({"mu.npy": npy([0.0], "(1,)")}))

LINE = '{"output":"%s","input_sha256":"a","run_sha256":"b","output_sha256":"c","output_size":%d}\n'
write("journal", "two", ('{"srdiff_journal":1}\n' + LINE % ("a.png", 3) + LINE % ("b/c.png", 7)).encode())
write("journal", "torn", ('{"srdiff_journal":1}\n' + LINE % ("a.png", 3))[:-20].encode())
write("journal", "escaped", (LINE % ("%FF\\u00e4%25", 18446744073709551615)).encode())
write("journal", "beyond", (LINE % ("a.png", 18446744907073551615)).encode())
