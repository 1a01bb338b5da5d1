"""Group norm and SiLU in one pass over memory, for training in bf16 on a CPU (norm_silu.cc)."""
import torch
from torch import Tensor, nn

from extensions import compiled
from networks import Block, SelfAttention


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
    extension = compiled("srdiff_norm_silu", "norm_silu.cc", "PyTorch's own group norm") if norms else None
    if extension is None:
        return 0
    for module in norms:
        if isinstance(module, Block):
            module.block[0] = FusedNorm(module.block[0], True, extension)
            module.block[1] = nn.Identity()
        else:
            module.norm = FusedNorm(module.norm, False, extension)
    return len(norms)
