"""Group norm and SiLU in one pass over memory, for training in bf16 on a CPU (norm_silu.cc)."""
import os
import sys

import torch
from torch import Tensor, nn

from networks import Block, SelfAttention


def load():
    """The extension, compiled on its first use, or None where that cannot be done."""
    try:
        from torch.utils.cpp_extension import load as compile_and_load
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "norm_silu.cc")
        return compile_and_load("srdiff_norm_silu", [source], extra_ldflags=["-lmvec"],
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


def cpu_trains_in_bf16() -> bool:
    """torch 1.13 has no group norm of bf16 images with float32 weights on the CPU."""
    return int(torch.__version__.split(".")[0]) >= 2
