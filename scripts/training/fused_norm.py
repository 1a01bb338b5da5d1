"""Group norm and SiLU in one pass over memory, for training in bf16 on a CPU (norm_silu.cc)."""
import contextlib
import os
import sys

import torch
from torch import Tensor, nn

from networks import Block, SelfAttention


@contextlib.contextmanager
def only_compiler(folder: str):
    """Holds the folder for one process at a time.

    torch's own lock is a file that is there or not: of a process killed while it compiles it stays, and all
    later ones would wait for it without end. Ours goes with its process, so that who holds it may remove torch's."""
    import fcntl
    with open(os.path.join(folder, "one-at-a-time"), "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another process that compiles in {folder}", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(folder, "lock"))
        yield


def load():
    """The extension, compiled on its first use, or None where that cannot be done."""
    try:
        from torch.utils.cpp_extension import _get_build_directory, load as compile_and_load
        name = "srdiff_norm_silu"
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "norm_silu.cc")
        folder = _get_build_directory(name, False)
        with only_compiler(folder):
            return compile_and_load(name, [source], extra_ldflags=["-lmvec"], build_directory=folder,
                                    extra_cflags=["-O3", "-march=native", "-ffast-math", "-fopenmp"])
    except (ImportError, OSError, RuntimeError) as error:
        lines = str(error).splitlines()
        reason = next((line for line in lines if "error:" in line), lines[0])
        print(f"training with PyTorch's own group norm, which is slower: {reason} "
              "(a C++ compiler, Python's headers and ninja are needed)", file=sys.stderr)
        return None


class FusedNorm(nn.Module):
    """A group norm's own weight and bias; computes in bf16 and returns the type it was given."""

    def __init__(self, norm: nn.GroupNorm, silu: bool, extension):
        super().__init__()
        self.weight, self.bias = norm.weight, norm.bias
        self.groups, self.eps, self.silu, self.extension = norm.num_groups, norm.eps, silu, extension

    def forward(self, x: Tensor) -> Tensor:
        return self.extension.norm_silu(x, self.weight, self.bias, self.groups, self.eps, self.silu).to(x.dtype)


def fuse_norms(network: nn.Module) -> int:
    """Puts FusedNorm in the place of the network's group norms, and of the SiLU behind them; returns how many.

    Parameters keep their names, so that states go from one to the other. 0 where nothing can be compiled."""
    norms = [module for module in network.modules()
             if isinstance(module, Block) and isinstance(module.block[0], nn.GroupNorm)
             or isinstance(module, SelfAttention) and isinstance(module.norm, nn.GroupNorm)]
    extension = load() if norms else None
    if extension is None:
        return 0
    for module in norms:
        if isinstance(module, Block):
            module.block[0] = FusedNorm(module.block[0], True, extension)
            module.block[1] = nn.Identity()
        else:
            module.norm = FusedNorm(module.norm, False, extension)
    return len(norms)


def cpu_trains_in_bf16(cpuinfo: str = "/proc/cpuinfo") -> bool:
    """Whether this torch and this processor are faster in bf16 than in float32.

    torch 1.13 has no group norm of bf16 images with float32 weights on the CPU. A processor without bf16's
    instructions computes it all the same, with AVX2 alone more than ten times as slowly as float32."""
    if int(torch.__version__.split(".")[0]) < 2:
        return False
    try:
        with open(cpuinfo) as file:
            words = set(file.read().split())
    except OSError:
        return False
    return not words.isdisjoint({"avx512_bf16", "amx_bf16", "bf16"})  # the last is ARM's
