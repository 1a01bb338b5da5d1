"""A network as a few TorchScript functions over weights that all belong to one module.

Scripted as it is written, a network becomes a class for each of its layers, and reading a hundred
classes takes LibTorch longer than several evaluations. So does reading the code of
torch.nn.functional, two hundred lines for `interpolate` alone: operators are called themselves.
"""
import linecache

import torch
import torch.nn.functional as F
from torch import fx, nn


class WholeTracer(fx.Tracer):
    """Follows one method of a network, into PyTorch's own modules too; `called` are the network's own
    methods that stay calls."""

    def __init__(self, method: str, called: tuple):
        super().__init__()
        self.traced_func_name = method
        self.called = called

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return False

    def trace(self, root: nn.Module, concrete_args=None) -> fx.Graph:
        def call(name: str):
            # fx writes the call of a submodule as `self.name(...)`, as which a method's is written too.
            return lambda *args: self.create_proxy("call_module", name, args, {})

        for name in self.called:
            setattr(root, name, call(name))
        try:
            return super().trace(root, concrete_args)
        finally:
            for name in self.called:
                delattr(root, name)


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


def with_methods(name: str, root: nn.Module, graphs: dict) -> nn.Module:
    """A module with the parameters of `root` and a method for each graph."""
    source, names = "", {"__name__": __name__}
    for method, graph in graphs.items():
        code = graph.python_code("self")
        names.update(code.globals)
        source += code.src.replace("def forward(", f"def {method}(", 1) + "\n"
    file = f"<{name}, flattened>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)  # where TorchScript reads it
    exec(compile(source, file, "exec"), names)
    methods = {method: names[method] for method in graphs}
    module = type(name, (nn.Module,), {method: function if method == "forward" else torch.jit.export(function)
                                       for method, function in methods.items()})()
    for key, parameter in root.named_parameters():
        module.register_parameter(key, parameter)
    return module.train(root.training)


def flattened(network: nn.Module) -> torch.jit.ScriptModule:
    """The network scripted, on its own weights; parameter a.b of the network is a_b in the result.

    Where the network's class names `methods`, parts that its `forward` calls, each of them is a method of
    the result too, which `forward` calls, so that no operator is written twice.
    Sizes stay free: a branch that depends on one is an error.
    """
    root = nn.Module()
    for name, parameter in network.named_parameters():
        if hasattr(root, flat_name(name)):
            raise ValueError(f"two parameters would be called {flat_name(name)}")
        root.register_parameter(flat_name(name), parameter)
    parts = tuple(getattr(network, "methods", ()))
    graphs = {}
    for method in (*parts, "forward"):
        graph = WholeTracer(method, parts if method == "forward" else ()).trace(network)
        for node in graph.nodes:
            if node.op == "get_attr":
                node.target = flat_name(node.target)
        call_operators(graph)
        graphs[method] = graph
    return torch.jit.script(with_methods(type(network).__name__, root.train(network.training), graphs))


def named_as(network: nn.Module, weights: dict) -> dict:
    """The weights of a file, flattened or not, under the names that `network` gives them."""
    if any("." in name for name in weights):
        return weights
    names = {flat_name(name): name for name, _ in network.named_parameters()}
    return {names.get(name, name): weight for name, weight in weights.items()}
