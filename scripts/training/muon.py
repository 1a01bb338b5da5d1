"""Muon, an optimiser for matrices."""
import torch
from torch import Tensor


def orthogonalised(matrix: Tensor) -> Tensor:
    """[m,n] with all singular values near 1 (0.7 to 1.2) and the singular vectors of `matrix`: five steps of Newton and
    Schulz with Jordan's coefficients."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x if matrix.shape[0] <= matrix.shape[1] else x.T


class Muon(torch.optim.Optimizer):
    """K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024), for convolutions of at least `least`
    channels on both sides, as matrices [out, in * taps]; Adam for all other weights. The updates are as long as Adam's
    usually are (a root mean square of 0.2 of the rate; Liu et al. 2025, arXiv 2502.16982), so that its rates hold."""

    def __init__(self, parameters, lr: float, betas=(0.9, 0.99), momentum: float = 0.95, least: int = 48):
        parameters = list(parameters)
        is_inner = [each.dim() == 4 and min(each.shape[:2]) >= least for each in parameters]
        groups = [{"params": [each for each, inner in zip(parameters, is_inner) if inner == wanted], "inner": wanted}
                  for wanted in (True, False)]
        super().__init__([group for group in groups if group["params"]], {"lr": lr, "betas": betas, "momentum": momentum,
                                                                         "weight_decay": 0.0})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    (self.step_inner if group["inner"] else self.step_other)(parameter, group)

    def step_inner(self, parameter, group):
        state = self.state[parameter]
        if not state:
            state["m"] = torch.zeros_like(parameter)
        state["m"].mul_(group["momentum"]).add_(parameter.grad)
        ahead = parameter.grad + group["momentum"] * state["m"]
        update = orthogonalised(ahead.flatten(1))
        parameter.add_(update.view(parameter.shape), alpha=-0.2 * group["lr"] * max(update.shape) ** 0.5)

    def step_other(self, parameter, group):
        state = self.state[parameter]
        if not state:
            state.update(m=torch.zeros_like(parameter), v=torch.zeros_like(parameter), n=0)
        state["n"] += 1
        first, second = group["betas"]
        state["m"].lerp_(parameter.grad, 1 - first)
        state["v"].lerp_(parameter.grad ** 2, 1 - second)
        mean, square = state["m"] / (1 - first ** state["n"]), state["v"] / (1 - second ** state["n"])
        parameter.sub_(group["lr"] * mean / (square.sqrt() + 1e-8))
