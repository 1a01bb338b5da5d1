"""A network as one TorchScript function over weights that all belong to one module.

Scripted as it is written, a network becomes a class for each of its layers, and reading a hundred
classes takes LibTorch longer than several evaluations.
"""
import torch
from torch import fx, nn


class WholeTracer(fx.Tracer):
    """Follows the forward pass into PyTorch's own modules too."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return False


def flat_name(name: str) -> str:
    return name.replace(".", "_")


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
    return torch.jit.script(fx.GraphModule(root, graph, type(network).__name__))


def named_as(network: nn.Module, weights: dict) -> dict:
    """The weights of a file, flattened or not, under the names that `network` gives them."""
    if any("." in name for name in weights):
        return weights
    names = {flat_name(name): name for name, _ in network.named_parameters()}
    return {names.get(name, name): weight for name, weight in weights.items()}
