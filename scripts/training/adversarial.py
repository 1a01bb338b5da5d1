"""An adversarial loss in the space of a classifier's first layers."""
from typing import List, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


class Discriminator(nn.Module):
    """Tells pictures from the sampler's by the maps of a fixed network, as in projected GANs (Sauer et al. 2021,
    arXiv 2111.01007): one small head a map, each of which judges patches. It sees x_sr's maps beside the picture's,
    so that it judges what was drawn for this x_sr. Spectral norms bound its slope (Miyato et al. 2018)."""

    WIDTH = 64

    def __init__(self, channels: List[int]):
        super().__init__()
        self.heads = nn.ModuleList(self.head(2 * count) for count in channels)

    def head(self, channels: int) -> nn.Module:
        layers = [nn.Conv2d(channels, self.WIDTH, 1)]
        for _ in range(2):
            layers += [nn.LeakyReLU(0.2), nn.Conv2d(self.WIDTH, self.WIDTH, 3, 2, 1)]
        layers += [nn.LeakyReLU(0.2), nn.Conv2d(self.WIDTH, 1, 1)]
        return nn.Sequential(*(spectral_norm(layer) if isinstance(layer, nn.Conv2d) else layer for layer in layers))

    def forward(self, maps: List[Tensor], condition: List[Tensor]) -> List[Tensor]:
        """The verdicts [N,1,h,w] of each head: above 0 for photographs."""
        return [head(torch.cat([a, b], 1)).float() for head, a, b in zip(self.heads, maps, condition)]


def mean_of(verdicts: List[Tensor], loss) -> Tensor:
    return torch.stack([loss(verdict).mean() for verdict in verdicts]).mean()


class AdversarialLoss:
    """Trains its discriminator beside the denoiser: `pull` in each batch, `step` after it."""

    def __init__(self, distance, lr: float, warmup: int, device):
        self.distance = distance
        probe = self.distance.units(torch.zeros(1, 3, 32, 32, device=device))
        self.discriminator = Discriminator([each.shape[1] for each in probe]).to(device)
        self.optimizer = torch.optim.AdamW(self.discriminator.parameters(), lr=lr, betas=(0.5, 0.99), weight_decay=0.0)
        self.lr, self.steps, self.warmup, self.told = lr, 0, warmup, 0.0

    def maps(self, units: List[Tensor]) -> List[Tensor]:
        """The distance's unit vectors, so long that their channels have a mean square of 1."""
        return [each * each.shape[1] ** 0.5 for each in units]

    def pull(self, x_0: Tensor, drawn: List[Tensor], real: List[Tensor], condition: Tensor) -> Tuple[Tensor, float]:
        """The slope [N,3,H,W] of the adversarial loss at x_0 and how far to trust it, from 0 to 1: the discriminator
        has to learn first. Adds the discriminator's own slopes (hinge loss). x_0 and condition are [N,3,H,W] in [-1,1];
        `drawn` and `real` are the distance's units of x_0, with its graph, and of the truth."""
        with torch.no_grad():
            beside = self.maps(self.distance.units(condition))
        drawn, real = self.maps(drawn), self.maps(real)
        slope, = torch.autograd.grad(-mean_of(self.discriminator(drawn, beside), lambda v: v), x_0, retain_graph=True)
        found = mean_of(self.discriminator(real, beside), lambda v: F.relu(1 - v))
        found = found + mean_of(self.discriminator([each.detach() for each in drawn], beside), lambda v: F.relu(1 + v))
        found.backward()
        self.told = float(found.detach())
        return slope, min(1.0, self.steps / self.warmup)

    def step(self):
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.steps += 1

    def state(self) -> dict:
        return {"discriminator": self.discriminator.state_dict(), "optimizer": self.optimizer.state_dict(), "steps": self.steps}

    def restore(self, state: dict):
        self.discriminator.load_state_dict(state["discriminator"])
        self.optimizer.load_state_dict(state["optimizer"])
        for group in self.optimizer.param_groups:  # the state brought the last leg's
            group["lr"] = self.lr
        self.steps = state["steps"]
