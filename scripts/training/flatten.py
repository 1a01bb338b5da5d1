"""A network as one TorchScript function over weights that all belong to one module.

Scripted as it is written, a network becomes a class for each of its layers, and reading a hundred
classes takes LibTorch longer than several evaluations. So does reading the code of
torch.nn.functional, two hundred lines for `interpolate` alone: operators are called themselves.
"""
import torch
import torch.nn.functional as F
from torch import fx, nn


class WholeTracer(fx.Tracer):
    """Follows the forward pass into PyTorch's own modules too."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return False


def flat_name(name: str) -> str:
    return name.replace(".", "_")


def upsampled(x, size=None, scale_factor=None, mode="nearest", align_corners=None, recompute_scale_factor=None,
              antialias=False):
    """The operator, and its arguments, that torch.nn.functional.interpolate ends in for these; None for others."""
    factors = None if scale_factor is None else [float(scale_factor)] * 2
    if mode == "nearest":
        return torch._C._nn.upsample_nearest2d, (x, size, factors)
    if mode == "bicubic" and antialias and factors is None:
        return torch._C._nn._upsample_bicubic2d_aa, (x, size, bool(align_corners), None)
    return None


def group_normed(x, num_groups, weight=None, bias=None, eps=1e-5):
    return torch.group_norm, (x, num_groups, weight, bias, eps)


def layer_normed(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    return torch.layer_norm, (x, normalized_shape, weight, bias, eps)


def silu(x, inplace=False):
    return None if inplace else (torch._C._nn.silu, (x,))


def dropped_out(x, p=0.5, training=True, inplace=False):
    return None if inplace else (torch.dropout, (x, p, training))


# What the functions of torch.nn.functional that the networks call come down to for images.
OPERATORS = {F.interpolate: upsampled, F.group_norm: group_normed, F.layer_norm: layer_normed, F.silu: silu,
             F.dropout: dropped_out}


def call_operators(graph: fx.Graph):
    """Puts operators in the place of functions that are TorchScript code of their own."""
    for node in graph.nodes:
        if node.op == "call_function" and node.target in OPERATORS:
            operator = OPERATORS[node.target](*node.args, **node.kwargs)
            if operator is not None:
                node.target, node.args = operator
                node.kwargs = {}


def flattened(network: nn.Module) -> torch.jit.ScriptModule:
    """The network scripted, on its own weights; parameter a.b of the network is a_b in the result.

    Sizes stay free: a branch that depends on one is an error.
    """
    graph = WholeTracer().trace(network)
    root = nn.Module()
    for name, parameter in network.named_parameters():
        if hasattr(root, flat_name(name)):
            raise ValueError(f"two parameters would be called {flat_name(name)}")
        root.register_parameter(flat_name(name), parameter)
    for node in graph.nodes:
        if node.op == "get_attr":
            node.target = flat_name(node.target)
    call_operators(graph)
    return torch.jit.script(fx.GraphModule(root, graph, type(network).__name__))


def named_as(network: nn.Module, weights: dict) -> dict:
    """The weights of a file, flattened or not, under the names that `network` gives them."""
    if any("." in name for name in weights):
        return weights
    names = {flat_name(name): name for name, _ in network.named_parameters()}
    return {names.get(name, name): weight for name, weight in weights.items()}
