#!/usr/bin/env python3
"""Times srdiff's denoiser against the ways in which people would run the same weights.

    bench_peers.py --config configs/faces-x8.json --model models/faces-x8 --json peers.json

One evaluation: srdiff (the reverse step and the noise included: 64 more evaluations of one picture),
PyTorch eager, torch.jit and torch.compile (max-autotune) in this Python's torch, ONNX Runtime and
OpenVINO where this Python has them (`pip install onnx onnxruntime openvino`), with the same number of
threads, in float32 and where they can in bf16; eager and torch.jit in NCHW or channels_last, whichever
is faster here. --device cuda times srdiff and PyTorch on a GPU, in
channels_last and without TF32; --batch N gives all of them N pictures at once, and takes srdiff's
figure from `srdiff bench`. Each runs in its own process; they take turns, --repeats times, so that what
else the machine does slows all. Every peer's output is compared with PyTorch's in float32 before it is
timed.

End to end, one picture, without loading: srdiff with its recommended evaluations against srdiff with
T of them from noise, and the same in PyTorch as the public SR3 runs it. Those with T evaluations run
--long-repeats times.
"""
import argparse
import copy
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts" / "training"))
from configuration import read_config  # noqa: E402

TORCH_PEERS = ("eager", "eager-bf16", "jit", "compile", "compile-bf16")
PEERS = (*TORCH_PEERS, "onnxruntime", "openvino", "openvino-bf16")
MORE = 64      # evaluations that tell what one takes
CALLS = 10     # of a peer's network a turn; their median is the turn's figure


# A peer's process: says what it is in a line of JSON, then answers each line it is given with seconds.

def inputs(model, size: int, batch: int):
    import torch
    generator = torch.Generator().manual_seed(0)
    condition, x_t = torch.rand(2, batch, 3, size, size, generator=generator) * 2 - 1
    return condition, x_t, torch.full((batch,), float(model.schedule.alpha_bar[300]) ** 0.5)


def exported(network, tensors, scratch: str) -> str:
    import torch
    path = os.path.join(scratch, "denoiser.onnx")
    if not os.path.exists(path):
        torch.onnx.export(network, tensors, path + ".part", opset_version=17, dynamo=False,
                          input_names=["condition", "x_t", "noise_level"], output_names=["output"])
        os.replace(path + ".part", path)
    return path


def faster_layout(make, tensors, device: str):
    """make(layout) in the layout in which calls are faster, and that layout's name."""
    import torch
    if device == "cuda":
        return make(torch.channels_last), "channels_last"
    made = {name: make(getattr(torch, name)) for name in ("contiguous_format", "channels_last")}
    seconds = {name: [] for name in made}
    for turn in range(CALLS):
        for name, run in made.items():
            start = time.perf_counter()
            run(*tensors)
            seconds[name] += [time.perf_counter() - start] if turn else []  # the first is a warm-up
    best = min(made, key=lambda name: statistics.median(seconds[name]))
    return made[best], {"contiguous_format": "NCHW"}.get(best, best)


def peer_call(peer: str, network, tensors, args):
    """A function of no arguments that runs the network once, and the peer's name with its version."""
    import torch
    reduced = peer.endswith("bf16")

    def in_precision(run):
        def in_bf16(*given):
            with torch.autocast(args.device, dtype=torch.bfloat16):
                return run(*given)
        return in_bf16 if reduced else run

    if peer.startswith(("eager", "compile")):
        if peer.startswith("compile"):
            run = in_precision(torch.compile(network, mode="max-autotune"))
            name = f"PyTorch {torch.__version__}, torch.compile"
        else:
            def laid_out(layout):
                return in_precision(copy.deepcopy(network).to(memory_format=layout))
            run, layout = faster_layout(laid_out, tensors, args.device)
            name = f"PyTorch {torch.__version__}, eager, {layout}"
        return lambda: run(*tensors), name + (", autocast to bf16" if reduced else "")
    if peer == "jit":
        file = os.path.join(args.model, "denoiser.pt")

        def frozen(layout):
            module = torch.jit.load(file, map_location=args.device).float().to(memory_format=layout)
            return torch.jit.freeze(module.eval())
        scripted, layout = faster_layout(frozen, tensors, args.device)
        return lambda: scripted(*tensors), f"PyTorch {torch.__version__}, torch.jit.freeze, {layout}"
    path = exported(network, tensors, args.scratch)
    arrays = {name: tensor.numpy() for name, tensor in zip(("condition", "x_t", "noise_level"), tensors)}
    if peer == "onnxruntime":
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = args.threads
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return lambda: session.run(None, arrays)[0], f"ONNX Runtime {onnxruntime.__version__}"
    import openvino
    core = openvino.Core()
    shapes = {name: list(array.shape) for name, array in arrays.items()}
    model = core.read_model(path)
    model.reshape(shapes)
    compiled = core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": args.threads, "PERFORMANCE_HINT": "LATENCY",
                                                 "INFERENCE_PRECISION_HINT": "bf16" if reduced else "f32"})
    name = f"OpenVINO {openvino.__version__.split('-')[0]}" + (", bf16" if reduced else "")
    return lambda: compiled(arrays)[0], name


def worker(args) -> None:
    import torch
    from networks import stored
    from reference import Model, sample, step_grid
    torch.set_num_threads(args.threads)
    torch.backends.cudnn.allow_tf32 = False  # float32 means float32, as in srdiff
    config = read_config(args.config)
    model = Model(args.model)
    network = stored(os.path.join(args.model, "denoiser.pt"), "denoiser", config["denoiser"]["architecture"])
    layout = torch.channels_last if args.device == "cuda" else torch.contiguous_format
    network = network.to(args.device, memory_format=layout)
    tensors = tuple(tensor.to(args.device) for tensor in inputs(model, config["native_size"], args.batch))

    def wait():
        if args.device == "cuda":
            torch.cuda.synchronize()

    with torch.inference_mode():
        call, name = peer_call(args.worker, network, tensors, args)
        expected = network(*tensors)
        for _ in range(3):  # torch.compile records a graph after its first calls
            error = float((torch.as_tensor(call()) - expected).abs().max())
        if not error < (0.1 if args.worker.endswith("bf16") else 1e-3):
            raise SystemExit(f"{name}: differs from PyTorch by {error:.2g}")
        print(json.dumps({"name": name}), flush=True)
        for line in sys.stdin:
            if line.strip() == "loop":  # the public SR3: every step from T, on a network that loads no regressor
                wait()
                start = time.perf_counter()
                grid = step_grid(model.schedule, model.schedule.T, model.schedule.T)
                noises = iter(lambda: torch.randn(tensors[1].shape, device=args.device), None)
                sample(network, model.schedule, model.parameterisation, tensors[0], tensors[1], grid, "ddpm",
                       noises=noises)
                wait()
                print(time.perf_counter() - start, flush=True)
                continue
            seconds = []
            for _ in range(CALLS):
                wait()
                start = time.perf_counter()
                call()
                wait()
                seconds.append(time.perf_counter() - start)
            print(statistics.median(seconds), flush=True)


class Peer:
    def __init__(self, kind: str, args):
        words = [sys.executable, __file__, "--worker", kind, "--config", args.config, "--model", args.model,
                 "--threads", str(args.threads), "--scratch", args.scratch, "--device", args.device, "--batch",
                 str(args.batch)]
        self.log = open(os.path.join(args.scratch, f"{kind}.log"), "w+")
        environment = {**os.environ, "OMP_NUM_THREADS": str(args.threads)}
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                                        text=True, env=environment)
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            raise RuntimeError((self.log.read().strip().splitlines() or ["ended without a word"])[-1])
        self.name = json.loads(line)["name"]

    def ask(self, what: str) -> float:
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


class Srdiff:
    def __init__(self, args):
        self.args = args
        version = subprocess.run([args.srdiff, "--version"], capture_output=True, text=True, check=True).stdout.strip()
        self.name = version if version.startswith("srdiff") else f"srdiff {version}"
        from PIL import Image
        config = read_config(args.config)
        side = config["native_size"] // config["scale"]
        self.picture = os.path.join(args.scratch, "in.png")
        Image.linear_gradient("L").resize((side, side)).convert("RGB").save(self.picture)

    def seconds(self, *options: str) -> float:
        words = [self.args.srdiff, "upscale", self.picture, os.path.join(self.args.scratch, "out.png"), "--model",
                 self.args.model, "--device", self.args.device, "--threads", str(self.args.threads), "--json",
                 "--quiet", *options]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)["seconds"]["upscale"]

    def evaluation(self, precision: str) -> float:
        if self.args.batch > 1 or self.args.device == "cuda":
            words = [self.args.srdiff, "bench", "--model", self.args.model, "--device", self.args.device, "--threads",
                     str(self.args.threads), "--precision", precision, "--batch", str(self.args.batch), "--repeats", "3",
                     "--json", "--quiet"]
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            return json.loads(done.stdout)["evaluations"][0]["seconds"]["median"]
        options = ("--precision", precision, "--nfe")
        return (self.seconds(*options, str(8 + MORE)) - self.seconds(*options, "8")) / MORE


def summary(values) -> dict:
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="training config: the denoiser's architecture")
    parser.add_argument("--model", required=True, help="model folder")
    parser.add_argument("--srdiff", default=str(ROOT / "build/default/apps/srdiff/srdiff"))
    parser.add_argument("--peers", nargs="+", choices=PEERS, help="default: all that the device can run")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--batch", type=int, default=1, help="pictures in an evaluation")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--long-repeats", type=int, default=1, help="of what takes T evaluations; 0: none")
    parser.add_argument("--json")
    parser.add_argument("--worker", choices=PEERS, help=argparse.SUPPRESS)
    parser.add_argument("--scratch", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        worker(args)
        return
    with tempfile.TemporaryDirectory() as args.scratch:
        ours, peers = Srdiff(args), {}
        for kind in args.peers or (PEERS if args.device == "cpu" else TORCH_PEERS):
            try:
                peers[kind] = Peer(kind, args)
            except RuntimeError as error:
                print(f"{kind}: left out: {error}", file=sys.stderr)
        auto = f"{ours.name}, --precision auto"
        one = {name: [] for name in (ours.name, auto, *(peer.name for peer in peers.values()))}
        short, long, loop = [], [], []
        for turn in range(args.repeats):
            one[ours.name].append(ours.evaluation("fp32"))
            one[auto].append(ours.evaluation("auto"))
            short.append(ours.seconds())
            for peer in peers.values():
                one[peer.name].append(peer.ask("go"))
            if turn < args.long_repeats and args.batch == 1:
                long.append(ours.seconds("--start", "noise", "--sampler", "ddpm"))
                if "eager" in peers:
                    loop.append(peers["eager"].ask("loop"))
            print(f"turn {turn + 1} of {args.repeats}", file=sys.stderr, flush=True)
    base = one[ours.name]
    print(f"| one evaluation of {args.batch}, {args.device}, {args.threads} threads | median ms | least to most "
          "| times srdiff's |\n|---|---|---|---|")
    for name, values in one.items():
        ratio = statistics.median(a / b for a, b in zip(values, base))
        print(f"| {name} | {1e3 * statistics.median(values):.1f} | {1e3 * min(values):.1f} to {1e3 * max(values):.1f} "
              f"| {ratio:.2f} |")
    print("\n| one picture, without loading | median s | times srdiff's |\n|---|---|---|")
    rows = [("srdiff, as recommended", short), ("srdiff, every step from noise", long),
            ("PyTorch eager, every step from noise", loop)]
    for name, values in rows:
        if values:
            ratio = statistics.median(a / b for a, b in zip(values, short))
            print(f"| {name} | {statistics.median(values):.3f} | {ratio:.1f} |")
    if args.json:
        with open(args.json, "w") as file:
            json.dump({"threads": args.threads, "evaluation": {k: summary(v) for k, v in one.items()},
                       "picture": {name: summary(values) for name, values in rows if values}}, file, indent=1)


if __name__ == "__main__":
    main()
