"""How far apart two pictures are to a classifier's eye."""
import torch
from torch import Tensor


class PerceptualDistance:
    """Distance in the space of a classifier's feature maps, as LPIPS before its learned weights (Zhang et al. 2018,
    arXiv 1801.03924).

    `path` is a TorchScript file that takes RGB [N,3,H,W] in [0,255] and returns a list of maps [N,C,h,w], such as
    feature_maps.py makes."""

    def __init__(self, path: str, device):
        try:
            self.network = torch.jit.load(path, map_location=device).eval()
        except (RuntimeError, ValueError, OSError) as error:
            raise SystemExit(f"{path}: no TorchScript file: {str(error).splitlines()[0]}; make one by feature_maps.py")

    def units(self, images: Tensor) -> list:
        maps = self.network((images.float().clamp(-1, 1) + 1) * 127.5)
        return [each / (each.pow(2).sum(1, keepdim=True) + 1e-6).sqrt() for each in maps]

    def between(self, units: list, wanted: list) -> Tensor:
        """[N], of the units of N images and of the truth: the squared distance of the unit vectors at each position, its
        mean over positions and maps."""
        distances = [(a - b).pow(2).sum(1).mean(dim=(1, 2)) for a, b in zip(units, wanted)]
        return torch.stack(distances).mean(0)

    def __call__(self, images: Tensor, truth: Tensor) -> Tensor:
        """[N], of images [N,3,H,W] in [-1,1]: their distance from the truth, which gets no gradient."""
        with torch.no_grad():
            wanted = self.units(truth)
        return self.between(self.units(images), wanted)
