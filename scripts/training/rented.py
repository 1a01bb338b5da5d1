#!/usr/bin/env python3
"""Trains on a GPU that is rented for half an hour and reached by short commands and small files.

    rented.py pack OUT NAME --plan PLAN DATA...  here: code, configs, fonts, plan, data as OUT/NAME-1-of-N, ...
    rented.py unpack WORK PART...                there: takes parts; with the last one the bundle is in WORK
    rented.py start WORK NAME                    there: works through the plan in the background, goes on where it stopped
    rented.py watch WORK --minutes 9             there: tells how far all are, until they are done or the time is over
    rented.py send WORK OUT                      there: the averaged weights of all runs in fp16, OUT/weights-1-of-N, ...
    rented.py receive OUT RUNS                   here: run folders, for export.py and train.py --resume

PLAN holds the arguments of train.py, a run a line, with paths as they are in WORK: DATA under the last two parts
of its path (photos/train.tar), runs as runs/NAME. Lines run beside each other; an empty line waits for those before it.
Commands end, the background does not: it is a session of its own. A second bundle may follow while the first trains.
`send` and `receive` need torch, `pack` numpy and Pillow.
"""
import argparse
import glob
import hashlib
import io
import os
import re
import shlex
import subprocess
import sys
import tarfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def write_parts(data: bytes, out: str, name: str, size: int):
    """OUT/NAME-k-of-N, the first with the SHA-256 of all."""
    os.makedirs(out, exist_ok=True)
    for old in glob.glob(os.path.join(out, f"{name}-*-of-*")):
        os.remove(old)
    data = hashlib.sha256(data).digest() + data
    count = -(-len(data) // size)
    for k in range(count):
        with open(os.path.join(out, f"{name}-{k + 1}-of-{count}"), "wb") as file:
            file.write(data[k * size:(k + 1) * size])
    print(f"{out}: {len(data) / 2**20:.1f} MiB in {count} {'part' if count == 1 else 'parts'}")


def read_parts(folder: str, name: str):
    """What write_parts was given, or None while parts are missing."""
    found = {}
    for path in glob.glob(os.path.join(folder, f"{name}-*-of-*")):
        numbers = re.search(r"-(\d+)-of-(\d+)$", path)
        if numbers:
            found[int(numbers[1])] = (path, int(numbers[2]))
    count = max((count for _, count in found.values()), default=0)
    missing = [number for number in range(1, count + 1) if number not in found]
    if missing or not count:
        print(f"{folder}: {name} {', '.join(map(str, missing)) or 'files'} still missing", file=sys.stderr)
        return None
    data = b"".join(open(found[number][0], "rb").read() for number in range(1, count + 1))
    if hashlib.sha256(data[32:]).digest() != data[:32]:
        raise SystemExit(f"{folder}: the {name} files do not fit together; copy them again")
    return data[32:]


def pack(args):
    from needs import need  # here, so that `unpack` needs this one file alone
    need("numpy", "PIL")
    from text import fonts
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=1) as archive:
        for folder in ("scripts/training", "configs"):
            for path in sorted(glob.glob(os.path.join(ROOT, folder, "*.*"))):
                archive.add(path, os.path.join(folder, os.path.basename(path)))
        for path in fonts():
            archive.add(path, os.path.join("fonts", *path.split(os.sep)[-2:]))
        archive.add(args.plan, f"{args.name}.plan")
        for path in args.data:
            archive.add(path, os.path.join(*os.path.abspath(path).split(os.sep)[-2:]))
    write_parts(stream.getvalue(), args.out, args.name, int(args.mib * 2**20))


def unpack(args):
    os.makedirs(args.work, exist_ok=True)
    for part in args.parts:
        with open(part, "rb") as source, open(os.path.join(args.work, os.path.basename(part)), "wb") as target:
            target.write(source.read())
    for name in sorted({re.sub(r"-\d+-of-\d+$", "", os.path.basename(part)) for part in args.parts}):
        data = read_parts(args.work, name)
        if data is not None:
            tarfile.open(fileobj=io.BytesIO(data)).extractall(args.work)
            for path in glob.glob(os.path.join(args.work, f"{name}-*-of-*")):
                os.remove(path)
            print(f"{args.work}: {name} is complete")


def out_of(words: list) -> str:
    return words[words.index("--out") + 1]


def stages_of(work: str, name: str) -> list:
    """The plan as lists of runs that go beside each other, each a list of words."""
    with open(os.path.join(work, f"{name}.plan")) as file:
        blocks = re.split(r"\n\s*\n", file.read().strip())
    return [[shlex.split(line) for line in block.splitlines() if not line.startswith("#")] for block in blocks]


def run(args):
    """The background: a run that fails is told of in its log and ends what waits for it."""
    train = os.path.join("scripts", "training", "train.py")
    for stage in stages_of(args.work, args.name):
        processes = []
        for words in stage:
            os.makedirs(os.path.join(args.work, out_of(words)), exist_ok=True)
            with open(os.path.join(args.work, out_of(words), "output.txt"), "a") as log:
                processes.append(subprocess.Popen([sys.executable, train, *words, "--resume"], cwd=args.work, stdout=log,
                                                  stderr=log))
        if any([process.wait() for process in processes]):
            raise SystemExit("failed")
    print("finished", flush=True)


def start(args):
    stages_of(args.work, args.name)
    with open(os.path.join(args.work, f"{args.name}.background"), "w") as log:
        # A new session: what ends the command that started it does not reach it.
        process = subprocess.Popen([sys.executable, os.path.abspath(__file__), "run", args.work, args.name],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    print(f"started, process {process.pid}")


def last_line(path: str) -> str:
    with open(path, "rb") as file:
        lines = file.read().decode(errors="replace").replace("\r", "\n").strip().splitlines()
    return lines[-1] if lines else ""


def watch(args):
    end = time.time() + 60 * args.minutes
    while True:
        verdicts = {os.path.basename(path)[:-len(".background")]: last_line(path)
                    for path in sorted(glob.glob(os.path.join(args.work, "*.background")))}
        for name in verdicts:
            for words in sum(stages_of(args.work, name), []):
                log = os.path.join(args.work, out_of(words), "output.txt")
                if os.path.exists(log):
                    print(f"{out_of(words)}: {last_line(log)}", flush=True)
        if all(verdicts.values()) or time.time() >= end:
            for name, verdict in verdicts.items():
                print(f"{name}: {verdict or 'still at it'}")
            sys.exit(0 if set(verdicts.values()) <= {"", "finished"} else 1)
        time.sleep(min(args.every, max(0.0, end - time.time())))


def send(args):
    from needs import need
    need("torch")
    import torch
    runs = {}
    for path in sorted(glob.glob(os.path.join(args.work, "runs", "*", "checkpoint.pt"))):
        state = torch.load(path, map_location="cpu")
        halves = {name: value.half() if value.is_floating_point() else value for name, value in state["ema"].items()}
        folder = os.path.dirname(path)
        with open(os.path.join(folder, "log.jsonl")) as file:
            log = file.read()
        runs[os.path.basename(folder)] = {**state, "ema": halves, "network": None, "optimizer": None, "log": log}
    if not runs:
        raise SystemExit(f"{args.work}: no run has a checkpoint yet")
    stream = io.BytesIO()
    torch.save(runs, stream)
    write_parts(stream.getvalue(), args.out, "weights", int(args.mib * 2**20))


def receive(args):
    from needs import need
    need("torch")
    import torch
    data = read_parts(args.out, "weights")
    if data is None:
        sys.exit(1)
    for name, state in torch.load(io.BytesIO(data), map_location="cpu").items():
        folder = os.path.join(args.runs, name)
        if os.path.exists(os.path.join(folder, "checkpoint.pt")):
            raise SystemExit(f"{folder} holds a run already: choose another folder")
        os.makedirs(folder, exist_ok=True)
        weights = {key: value.float() if value.is_floating_point() else value for key, value in state["ema"].items()}
        with open(os.path.join(folder, "log.jsonl"), "w") as file:
            file.write(state.pop("log"))
        torch.save({**state, "ema": weights, "network": weights}, os.path.join(folder, "checkpoint.pt"))
        print(f"{folder}: {state['kind']} after {state['images']} images")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)

    def command(function, *words):
        sub = commands.add_parser(function.__name__)
        for word in words:
            sub.add_argument(word)
        sub.set_defaults(function=function)
        return sub

    sub = command(pack, "out", "name")
    sub.add_argument("data", nargs="+")
    sub.add_argument("--plan", required=True)
    sub.add_argument("--mib", type=float, default=60, help="of a part at most")
    command(unpack, "work").add_argument("parts", nargs="+")
    command(start, "work", "name")
    command(run, "work", "name")
    sub = command(watch, "work")
    sub.add_argument("--minutes", type=float, default=9)
    sub.add_argument("--every", type=float, default=30, help="seconds")
    command(send, "work", "out").add_argument("--mib", type=float, default=15, help="of a part at most")
    command(receive, "out", "runs")
    args = parser.parse_args()
    args.function(args)


if __name__ == "__main__":
    main()
