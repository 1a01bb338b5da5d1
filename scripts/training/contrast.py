"""Contrast enhancement of |x_0 - x_sr|: the targets of the weight map."""
import torch
import torch.nn.functional as F
from torch import Tensor


def stretch(error: Tensor, low: float = 1.0, high: float = 99.0) -> Tensor:
    """Each image's percentiles low..high go to 0..1."""
    flat = error.flatten(1)
    bounds = torch.quantile(flat, torch.tensor([low / 100, high / 100], device=error.device), dim=1)
    a, b = (bound.view(-1, 1, 1, 1) for bound in bounds)
    return ((error - a) / (b - a).clamp(min=1e-6)).clamp(0, 1)


def gamma(error: Tensor, exponent: float = 0.5, high: float = 99.0) -> Tensor:
    """A stretch from zero, then a power below 1, which lifts small errors."""
    return stretch(error, 0.0, high) ** exponent


def clahe(error: Tensor, tiles: int = 4, clip: float = 2.0, bins: int = 64) -> Tensor:
    """Contrast-limited adaptive histogram equalisation over tiles x tiles tiles, with the tiles'
    curves blended bilinearly. Sides must be multiples of `tiles`."""
    x = stretch(error, 0.0, 100.0)
    n, _, h, w = x.shape
    th, tw = h // tiles, w // tiles
    patches = x.reshape(n, tiles, th, tiles, tw).permute(0, 1, 3, 2, 4).reshape(n * tiles * tiles, -1)
    index = (patches * bins).long().clamp(0, bins - 1)
    histogram = torch.zeros(len(patches), bins, device=x.device)
    histogram.scatter_add_(1, index, torch.ones_like(patches))
    limit = clip * patches.shape[1] / bins
    excess = (histogram - limit).clamp(min=0).sum(1, keepdim=True)
    curve = (histogram.clamp(max=limit) + excess / bins).cumsum(1) / patches.shape[1]
    curves = curve.reshape(n, tiles, tiles, bins).permute(0, 3, 1, 2)
    curves = F.interpolate(curves, size=(h, w), mode="bilinear", align_corners=False)
    return curves.gather(1, (x * bins).long().clamp(0, bins - 1)).clamp(0, 1)


def fixed(error: Tensor, full: float = 0.2) -> Tensor:
    """The same for every image: an error of `full`, in [-1,1], goes to 1. For tiles and photographs,
    where a percentile of the part at hand would call a clear sky as wrong as a face."""
    return (error / full).clamp(0, 1)


METHODS = {"stretch": stretch, "gamma": gamma, "clahe": clahe, "fixed": fixed}


def weight_target(x0: Tensor, x_sr: Tensor, contrast: dict) -> Tensor:
    """[N,1,H,W] in [0,1] from the mean over RGB of |x_0 - x_sr|; contrast = {"kind": ..., options}."""
    options = dict(contrast)
    error = (x0 - x_sr).abs().mean(dim=1, keepdim=True)
    return METHODS[options.pop("kind")](error, **options)
