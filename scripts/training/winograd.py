"""3x3 convolutions by Winograd's F(4x4, 3x3), for training in float32 on a CPU (winograd.cc)."""
from torch import Tensor, nn

from extensions import compiled


class WinogradConv2d(nn.Conv2d):
    """A convolution that computes by Winograd's algorithm: the values and derivatives of nn.Conv2d, to float32's precision."""

    def forward(self, x: Tensor) -> Tensor:
        return self.extension.convolution(x, self.weight, self.bias)


def fits(module: nn.Module) -> bool:
    """3x3, stride 1, zeros around, and channels in multiples of the 16 that the kernels take at a time."""
    return (type(module) is nn.Conv2d and module.kernel_size == (3, 3) and module.stride == (1, 1)
            and module.padding == (1, 1) and module.dilation == (1, 1) and module.padding_mode == "zeros" and module.groups == 1
            and module.bias is not None and module.in_channels % 16 == 0 and module.out_channels % 16 == 0)


def use_winograd(network: nn.Module) -> int:
    """Lets the network's 3x3 convolutions compute by Winograd's algorithm; returns how many do.

    Modules and parameters keep their names. For float32 on a CPU. 0 where nothing can be compiled."""
    convolutions = [module for module in network.modules() if fits(module)]
    extension = compiled("srdiff_winograd", "winograd.cc", "PyTorch's own convolutions") if convolutions else None
    if extension is None:
        return 0
    for module in convolutions:
        module.__class__ = WinogradConv2d
        module.extension = extension
    return len(convolutions)
