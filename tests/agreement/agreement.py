#!/usr/bin/env python3
"""srdiff's figures against those of the packages that the field uses.

    agreement.py SRDIFF CASE

pictures, folders   PSNR and SSIM of scikit-image, MS-SSIM of pytorch-msssim: to 1e-4
features            the Inception export against pytorch-fid's module: to 1e-4
distances           FID of pytorch-fid and torch-fidelity, KID of torch-fidelity: to 1e-3 relative;
                    statistics as .npz from and to pytorch-fid
niqe                NIQE of BasicSR: to 1e-3 relative, and to 1e-6 where it reduces pictures in float64
lpips               LPIPS of the package lpips, with AlexNet and VGG16: to 1e-5
inception           the same distances with Inception's 2048 features, in minutes; ctest leaves it out

The weights are random: what agrees on them agrees on the real ones. It runs itself with the python
that `scripts/setup.sh --peers` makes, build/peers/bin/python; without the packages it ends with 77.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
PEERS = os.path.join(ROOT, "build", "peers", "bin", "python")
if os.path.exists(PEERS) and not os.path.samefile(sys.prefix, os.path.join(ROOT, "build", "peers")):
    os.execv(PEERS, [PEERS, *sys.argv])

try:
    import numpy as np
    import torch
    from PIL import Image
    from pytorch_fid import fid_score, inception
    from pytorch_msssim import ms_ssim
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
    from torch_fidelity.metric_kid import kid_features_to_metric
except ImportError as error:
    print(f"skipped: {error}; run scripts/setup.sh --peers")
    sys.exit(77)

sys.path.insert(0, os.path.join(ROOT, "scripts"))

import export_inception  # noqa: E402
from feature_folder import write_feature_folder  # noqa: E402


def picture(seed: int, height: int, width: int, roughness: float = 8.0):
    """Waves of its own and noise, [height,width,3] of 8 bit."""
    random = np.random.default_rng(seed)
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    u, v, phase = random.uniform(0.02, 0.3, 2).tolist() + [random.uniform(0, 6)]
    waves = 128 + random.uniform(40, 90) * np.sin(u * x + phase + c * random.uniform(0, 1)) * np.cos(v * y)
    return np.clip(waves + random.normal(0, roughness, waves.shape), 0, 255).astype(np.uint8)


def save(folder: str, pictures: list) -> list:
    os.mkdir(folder)
    paths = [os.path.join(folder, f"{i:03}.png") for i in range(len(pictures))]
    for path, pixels in zip(paths, pictures):
        Image.fromarray(pixels).save(path)
    return paths


def srdiff(*words, statuses=(0,)) -> dict:
    result = subprocess.run([sys.argv[1], *words, "--json"], stdout=subprocess.PIPE)
    assert result.returncode in statuses, f"srdiff {' '.join(words)} ended with {result.returncode}"
    return json.loads(result.stdout)


def evaluated(*words) -> dict:
    """The figures of `srdiff eval` by their keys."""
    figures = srdiff("eval", "--quiet", *words)["figures"]
    return {key: figure["value"] for key, figure in figures.items()}


def agree(what: str, found: float, expected: float, absolute: float = 0.0, relative: float = 0.0):
    print(f"{what}: {found:.7g} here, {expected:.7g} there, difference {abs(found - expected):.2g}")
    assert abs(found - expected) <= absolute + relative * abs(expected), f"{what} differs"


def skimage_figures(a, b):
    channels = {"channel_axis": 2} if a.ndim == 3 else {}
    return (peak_signal_noise_ratio(a, b, data_range=255),
            structural_similarity(a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
                                  data_range=255, **channels))


def case_pictures(folder):
    for height, width in ((11, 13), (64, 48), (101, 70)):
        for seed in (1, 2):
            a, b = picture(seed, height, width, 4), picture(seed, height, width, 20)
            for name, x, y in (("RGB", a, b), ("grey", a[..., 0], b[..., 0])):
                paths = save(os.path.join(folder, f"{height}-{seed}-{name}"), [x, y])
                found = srdiff("compare", *paths, statuses=(2,))
                psnr, ssim = skimage_figures(x, y)
                agree(f"PSNR of {width}x{height} {name}", found["psnr"], psnr, absolute=1e-4)
                agree(f"SSIM of {width}x{height} {name}", found["ssim"], ssim, absolute=1e-4)
                difference = np.abs(x.astype(int) - y)
                agree("largest difference", 255 * found["largest_difference"]["value"], difference.max(), absolute=1e-4)
                agree("mean difference", 255 * found["mean_difference"], difference.mean(), absolute=1e-4)


def case_folders(folder):
    references = [picture(seed, 170, 163, 4) for seed in range(4)]
    outputs = [picture(seed, 170, 163, 10 + 5 * seed) for seed in range(4)]
    save(os.path.join(folder, "a"), references)
    save(os.path.join(folder, "b"), outputs)
    found = evaluated("--reference", os.path.join(folder, "a"), "--output", os.path.join(folder, "b"),
                      "--metrics", "psnr,ssim,ms-ssim")
    psnr, ssim = np.mean([skimage_figures(a, b) for a, b in zip(references, outputs)], axis=0)
    a, b = (torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).double() for pictures in (references, outputs))
    agree("mean PSNR", found["psnr"], psnr, absolute=1e-4)
    agree("mean SSIM", found["ssim"], ssim, absolute=1e-4)
    agree("mean MS-SSIM", found["ms-ssim"], ms_ssim(a, b, data_range=255).item(), absolute=1e-4)


@torch.no_grad()
def random_inception() -> export_inception.Inception:
    """Random weights whose every layer has features of mean 0 and variance 1 on our pictures."""
    torch.manual_seed(0)
    network = export_inception.Inception()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0  # one batch decides
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.3)
    pictures = np.stack([picture(seed, 48, 48, 4 + 2 * seed) for seed in range(8)])
    batch = torch.from_numpy(pictures).permute(0, 3, 1, 2) / 127.5 - 1
    network.train()(torch.nn.functional.interpolate(batch, size=(299, 299), mode="bilinear"))
    return network.eval()


def their_module(network, dimensions: int):
    """pytorch-fid's module, its download replaced by our weights in the layout of its file."""
    weights = {**network.state_dict(), "fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}
    inception.load_state_dict_from_url = lambda *args, **options: weights
    block = inception.InceptionV3.BLOCK_INDEX_BY_DIM[dimensions]
    return inception.InceptionV3([block]).eval(), weights


def export(folder: str, weights: dict) -> str:
    torch.save(weights, os.path.join(folder, "weights.pth"))
    out = os.path.join(folder, "random")
    sys.argv[1:], words = ["--weights", os.path.join(folder, "weights.pth"), "--out", out, "--name", "random"], sys.argv[1:]
    export_inception.main()
    sys.argv[1:] = words
    return out


@torch.no_grad()
def case_features(folder):
    theirs, weights = their_module(random_inception(), 2048)
    out = export(folder, weights)
    with open(os.path.join(out, "manifest.json")) as file:
        how = json.load(file)["input"]
    x = torch.from_numpy(np.stack([picture(seed, 60, 45) for seed in range(4)])).permute(0, 3, 1, 2) / 255
    assert (how["size"], how["resize"]) == (299, "bilinear")
    resized = torch.nn.functional.interpolate(x, size=(299, 299), mode="bilinear", align_corners=False, antialias=False)
    normalised = (resized - torch.tensor(how["mean"]).view(3, 1, 1)) / torch.tensor(how["std"]).view(3, 1, 1)
    found = torch.jit.load(os.path.join(out, "features.pt"))(normalised)
    expected = theirs(x)[0][:, :, 0, 0]
    assert found.shape == (4, 2048) and expected.std(0).mean() > 0.01
    print(f"features {expected.min():.2f} to {expected.max():.2f}")
    agree("largest difference of features", (found - expected).abs().max().item(), 0.0, absolute=1e-4)


class Stem(torch.nn.Module):
    """The 64 features that pytorch-fid takes of the first block: a fast network for ctest."""

    def __init__(self, network):
        super().__init__()
        self.first, self.second, self.third = network.Conv2d_1a_3x3, network.Conv2d_2a_3x3, network.Conv2d_2b_3x3

    def forward(self, x):
        return export_inception.halve(self.third(self.second(self.first(x)))).mean(dim=(2, 3))


def compare_distances(folder, network, theirs, dimensions: int, count: int):
    features = os.path.join(folder, "features")
    write_feature_folder(features, network, {
        "name": export_inception.NAME, "version": "random",  # the network that a foreign .npz is taken for
        "input": export_inception.INPUT, "source": "random", "licence": "none"})
    a, b = (os.path.join(folder, name) for name in "ab")
    first = save(a, [picture(seed, 48, 40, 8) for seed in range(count)])
    second = save(b, [picture(1000 + seed, 48, 40, 14) for seed in range(count)])
    activations = [fid_score.get_activations(paths, theirs, 20, dimensions, "cpu", 0) for paths in (first, second)]
    statistics = [(x.mean(0), np.cov(x, rowvar=False)) for x in activations]
    fid = fid_score.calculate_frechet_distance(*statistics[0], *statistics[1])

    stats = os.path.join(folder, "stats.npz")
    common = ("--output", b, "--features", features + "/")
    found = evaluated("--reference", a, *common, "--metrics", "fid,kid", "--reference-stats", stats,
                      "--kid-subset-size", str(count))
    agree("FID of pytorch-fid", found["fid"], fid, relative=1e-3)
    tensors = [torch.from_numpy(x) for x in activations]
    other = fid_statistics_to_metric(*map(fid_features_to_statistics, tensors), False)
    agree("FID of torch-fidelity", found["fid"], other["frechet_inception_distance"], relative=1e-3)
    kid = kid_features_to_metric(*tensors, kid_subsets=1, kid_subset_size=count, verbose=False)
    agree("KID of torch-fidelity", found["kid"], kid["kernel_inception_distance_mean"], relative=1e-3)

    mean, covariance = fid_score.compute_statistics_of_path(stats, None, 1, dimensions, "cpu")
    assert np.abs(mean - statistics[0][0]).max() < 1e-4 and np.abs(covariance - statistics[0][1]).max() < 1e-4
    agree("FID of pytorch-fid on our .npz", fid_score.calculate_frechet_distance(mean, covariance, *statistics[1]),
          fid, relative=1e-3)
    np.savez_compressed(os.path.join(folder, "theirs.npz"), mu=statistics[0][0], sigma=statistics[0][1])
    found = evaluated(*common, "--metrics", "fid", "--reference-stats", os.path.join(folder, "theirs.npz"))
    agree("FID here on pytorch-fid's .npz", found["fid"], fid, relative=1e-3)


def case_distances(folder):
    network = random_inception()
    compare_distances(folder, Stem(network), their_module(network, 64)[0], 64, count=70)


def case_inception(folder):
    network = random_inception()
    compare_distances(folder, network, their_module(network, 2048)[0], 2048, count=100)


def basicsr_niqe():
    """BasicSR's function of luma [height,width], and its folder of parameters; without the package's own
    imports, which want more than it uses."""
    import importlib.util
    import types
    import scipy.ndimage
    root = importlib.util.find_spec("basicsr").submodule_search_locations[0]
    for name in ("cv2", "basicsr", "basicsr.utils", "basicsr.metrics", "basicsr.metrics.metric_util"):
        sys.modules[name] = types.ModuleType(name)
    util = sys.modules["basicsr.metrics.metric_util"]
    util.reorder_image = util.to_y_channel = None  # for pictures that are no luma yet
    filters = types.ModuleType("scipy.ndimage.filters")  # its name in later versions of SciPy
    filters.convolve = scipy.ndimage.convolve
    sys.modules["scipy.ndimage.filters"] = filters
    for name in ("utils.registry", "utils.matlab_functions", "metrics.niqe"):
        spec = importlib.util.spec_from_file_location(
            "basicsr." + name, os.path.join(root, *name.split(".")) + ".py")
        module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    parameters = os.path.join(root, "metrics", "niqe_pris_params.npz")
    arrays = np.load(parameters)
    their_half = module.imresize

    def niqe(luma, half=None):
        module.imresize = half or their_half
        return module.niqe(luma, arrays["mu_pris_param"], arrays["cov_pris_param"], arrays["gaussian_window"])

    return parameters, niqe


class HalfSize:
    """BasicSR's imresize(whole numbers / 255) * 255 to half the size, in float64 as MATLAB's, then rounded to
    float32. In float32 throughout, rounding tips some of the shapes that NIQE looks for in steps of 0.001."""

    def __init__(self, picture, scale, antialiasing):
        assert scale == 0.5 and antialiasing
        distance = np.abs(np.arange(8) - 3.5) / 2
        weights = np.where(distance <= 1, 1.5 * distance**3 - 2.5 * distance**2 + 1,
                           -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2)
        half = np.rint(picture * 255.0).astype(np.float64)
        for _ in range(2):
            padded = np.pad(half, ((3, 3), (0, 0)), mode="symmetric")
            half = sum(w * padded[i:i + len(half):2] for i, w in enumerate(weights / weights.sum())).T
        self.levels = half.astype(np.float32)

    def __mul__(self, top):
        assert top == 255
        return self.levels


def case_niqe(folder):
    parameters, their_niqe = basicsr_niqe()
    os.makedirs(os.path.join(folder, "features", "niqe"))
    shutil.copy(parameters, os.path.join(folder, "features", "niqe", "niqe.npz"))
    os.environ["SRDIFF_FEATURES"] = os.path.join(folder, "features")
    pictures = [picture(1, 200, 300), picture(2, 391, 517, 3.0), picture(3, 96, 192, 20.0)]
    pictures.append(np.asarray(Image.open(os.path.join(ROOT, "docs", "images", "before-after.png")).convert("RGB")))
    for i, pixels in enumerate(pictures):
        save(os.path.join(folder, str(i)), [pixels])
        # In whole numbers: in BasicSR's float32, rounding chooses which neighbour a half becomes.
        luma = (pixels.astype(np.int64) @ np.array([65481, 128553, 24966]) + 127500) // 255000 + 16
        found = evaluated("--output", os.path.join(folder, str(i)), "--metrics", "niqe")
        agree("NIQE of BasicSR", found["niqe"], their_niqe(luma.astype(np.float32)), relative=1e-3)
        agree("the same, reduced in float64", found["niqe"], their_niqe(luma.astype(np.float32), HalfSize),
              relative=1e-6)


def case_lpips(folder):
    import export_lpips
    try:
        import lpips
    except ImportError as error:  # peers of an earlier version
        print(f"skipped: {error}; run scripts/setup.sh --peers")
        sys.exit(77)
    features = os.path.join(folder, "features")
    os.environ["SRDIFF_FEATURES"] = features
    sizes = ((31, 31), (64, 48), (101, 70))
    pairs = [[picture(seed, *size, roughness=4 + 16 * i) for seed, size in enumerate(sizes)] for i in range(2)]
    a, b = (os.path.join(folder, name) for name in "ab")
    save(a, pairs[0])
    save(b, pairs[1])
    for kind in ("alex", "vgg"):
        torch.manual_seed(0)
        theirs = lpips.LPIPS(net=kind, pnet_rand=True, verbose=False).eval()
        torch.save(theirs.state_dict(), os.path.join(folder, "state.pth"))
        words = sys.argv[1:]
        sys.argv[1:] = ["--weights", os.path.join(folder, "state.pth"), "--name", kind, "--out",
                        os.path.join(features, kind)]
        export_lpips.main()
        sys.argv[1:] = words
        csv = os.path.join(folder, "each.csv")
        evaluated("--reference", a, "--output", b, "--metrics", "lpips", "--lpips", kind, "--csv", csv)
        with open(csv) as file:
            found = [float(line.split(",")[1]) for line in file.readlines()[1:]]
        for value, x, y in zip(found, *pairs):
            with torch.no_grad():
                expected = theirs(*(torch.from_numpy(z).permute(2, 0, 1)[None] / 127.5 - 1 for z in (x, y))).item()
            assert expected > 1e-3, expected
            agree(f"LPIPS of the package, {kind}", value, expected, absolute=1e-5)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        globals()[f"case_{sys.argv[2]}"](scratch)
