#!/usr/bin/env python3
"""Runs the C++ pipeline and the plain Python one on the same input, noise and networks.

    compare.py RUN_PIPELINE REFERENCE_FOLDER MODEL_FOLDER TOLERANCE CASE...

Fails where the two differ by more than TOLERANCE in [-1,1] in one of the cases, after it has run all;
ends with 77 where torch is not at hand.
"""
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import torch
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

# Batch, and the settings that differ from t = 300, beta = 0.8, predicted start, ddim, nfe = 8.
CASES = {
    "ddim8": (1, {}),
    "ddim8_batch5": (5, {}),
    "ddim8_eta1": (2, {"eta": 1.0}),
    "ddim8_logsnr": (1, {"grid": "logsnr"}),
    "ddim8_quadratic": (1, {"grid": "quadratic", "beta": 0.3}),
    "ddim8_sr_start": (1, {"start": "sr", "beta": 0.5}),
    "ddim8_from_noise": (1, {"start": "noise", "t": 2000}),
    "ddim2_guided": (2, {"t": 400, "nfe": 2, "guidance": 1.5}),
    "ddim8_from_noise_guided": (1, {"start": "noise", "t": 2000, "guidance": 1.2}),
    "ddpm": (2, {"sampler": "ddpm", "t": 12, "nfe": 12}),
    "x_sr": (2, {"t": 0, "nfe": 0}),
    "dpmpp8": (2, {"sampler": "dpmpp"}),
    "dpmpp8_logsnr": (1, {"sampler": "dpmpp", "grid": "logsnr"}),
}


def cpp_run(program, model, batch, settings, height, width):
    options = {"batch": batch, "height": height, "width": width, **settings}
    with tempfile.TemporaryDirectory() as folder:
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        subprocess.run([program, model, folder, *words], check=True)
        return [torch.from_numpy(np.load(os.path.join(folder, f"{name}.npy")))
                for name in ("lr", "noise", "output")]


def faults_of(case, program, model_folder, model, tolerance):
    """What is wrong with the pipeline's result, in words."""
    batch, changes = CASES[case]
    settings = {"t": 300, "beta": 0.8, "sampler": "ddim", "nfe": 8, **changes}
    lr, noise, output = cpp_run(program, model_folder, batch, settings, 16, 12)
    expected = model.upscale(lr, noise, **settings)
    difference = (output - expected).abs().max().item()
    print(f"{case}: max difference {difference:.2e}, values {output.min():.2f} to {output.max():.2f}")
    if output.shape != expected.shape or not difference <= tolerance:
        yield f"{case}: the two differ by more than {tolerance}"
    if output.std() < 0.05:
        yield f"{case}: a flat picture compares nothing"


def main():
    program, reference_folder, model_folder, tolerance, *cases = sys.argv[1:]
    if not os.path.exists(os.path.join(model_folder, "manifest.json")):
        print(f"skipped: no {model_folder}")
        sys.exit(77)
    sys.path.insert(0, reference_folder)
    from reference import Model

    model = Model(model_folder)
    faults = [fault for case in cases for fault in faults_of(case, program, model_folder, model, float(tolerance))]
    if faults or not cases:
        sys.exit("\n".join(f"FAILED: {fault}" for fault in faults or ["no case was named"]))


if __name__ == "__main__":
    main()
