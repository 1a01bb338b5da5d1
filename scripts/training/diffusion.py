"""Noise schedule, parameterisations and equation (1) of the intermediate-step paper.

The schedule is float64; the values that meet images are cast to their type at the last moment.
"""
import torch
import torch.nn.functional as F
from torch import Tensor


class Schedule:
    """alpha_bar[t] for t = 0..T with alpha_bar[0] = 1: `t` counts the steps that remain."""

    def __init__(self, T: int = 2000, beta_start: float = 1e-6, beta_end: float = 1e-2, kind: str = "linear"):
        if kind != "linear":
            raise ValueError(f"schedule kind {kind!r} is not known (linear)")
        self.T = T
        beta = torch.linspace(beta_start, beta_end, T, dtype=torch.float64)
        beta = torch.cat([torch.zeros(1, dtype=torch.float64), beta])
        self.alpha_bar = torch.cumprod(1.0 - beta, dim=0)


def bicubic(x: Tensor, size) -> Tensor:
    """Antialiased bicubic with a = -0.5 (Pillow's), to size (H, W)."""
    return F.interpolate(x, size=size, mode="bicubic", align_corners=False, antialias=True)


def condition_of(description: dict) -> str:
    """What a denoiser is given beside x_t, from its config or manifest: the input enlarged by
    "bicubic" as in SR3, or "x_sr", the regressor's estimate, which leaves it less to predict."""
    condition = description.get("condition", "bicubic")
    if condition not in ("bicubic", "x_sr"):
        raise ValueError(f"condition {condition!r} is neither bicubic nor x_sr")
    return condition


def per_image(value: Tensor) -> Tensor:
    return value.reshape(-1, 1, 1, 1)


def target_of(parameterisation: str, x0: Tensor, eps: Tensor, level: Tensor) -> Tensor:
    """What the denoiser is to return; level = sqrt(alpha_bar) [N]."""
    if parameterisation == "eps":
        return eps
    if parameterisation == "x0":
        return x0
    if parameterisation == "v":
        return per_image(level) * eps - per_image((1 - level ** 2).sqrt()) * x0
    raise ValueError(f"parameterisation {parameterisation!r} is not eps, x0 or v")


def x0_of(parameterisation: str, output: Tensor, x_t: Tensor, level: Tensor) -> Tensor:
    """The estimate of x_0 that a denoiser's output stands for."""
    a, s = per_image(level), per_image((1 - level ** 2).sqrt())
    if parameterisation == "eps":
        return (x_t - s * output) / a
    if parameterisation == "x0":
        return output
    if parameterisation == "v":
        return a * x_t - s * output
    raise ValueError(f"parameterisation {parameterisation!r} is not eps, x0 or v")


def intermediate_state(x_sr: Tensor, noise: Tensor, alpha_bar: float, beta: float, weight=None) -> Tensor:
    """Equation (1): sqrt(ab) x_sr + clamp(beta + W, 0, 1) sqrt(1 - ab) noise; weight None is W = 0."""
    amount = torch.full_like(x_sr[:, :1], beta)
    if weight is not None:
        amount = amount + weight
    return alpha_bar ** 0.5 * x_sr + amount.clamp(0.0, 1.0) * (1.0 - alpha_bar) ** 0.5 * noise
