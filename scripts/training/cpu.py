"""In which precision this processor trains fastest."""
import time

import torch
import torch.nn.functional as F
from torch import nn

from winograd import use_winograd


def cpu_has_bf16(cpuinfo: str = "/proc/cpuinfo") -> bool:
    """Whether this torch and this processor can train in bf16 at a rate that is worth a trial.

    torch 1.13 has no group norm of bf16 images with float32 weights on the CPU. A processor without bf16's
    instructions computes it all the same, with AVX2 alone more than ten times as slowly as float32."""
    if int(torch.__version__.split(".")[0]) < 2:
        return False
    try:
        with open(cpuinfo) as file:
            words = set(file.read().split())
    except OSError:
        return False
    return not words.isdisjoint({"avx512_bf16", "amx_bf16", "bf16"})  # the last is ARM's


def cpu_trains_in_bf16(cpuinfo: str = "/proc/cpuinfo") -> bool:
    """Whether a convolution and its derivatives, of a size that the networks have, take less time in bf16 than in float32.

    What a processor can do does not say: with AMX bf16 is several times as fast, and a Xeon without it was seen to take 1.7
    times as long in bf16 as in float32, and 4 times as long as by Winograd's algorithm, which bf16 has not."""
    if not cpu_has_bf16(cpuinfo):
        return False
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as training uses them: each takes images of its own
    images = torch.zeros(4, 96, 32, 32).contiguous(memory_format=torch.channels_last)
    times = []
    for bf16 in (True, False):
        with torch.random.fork_rng(devices=[]):  # what training draws after this is the same on every processor
            network = nn.Sequential(*(nn.Conv2d(96, 96, 3, padding=1) for _ in range(2)))
        network = network.to(memory_format=torch.channels_last)
        if not bf16:
            use_winograd(network)
        runs = []
        for _ in range(4):  # the first makes ready, and the fastest is the least disturbed
            start = time.perf_counter()
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
                loss = F.mse_loss(network(images).float(), images)
            loss.backward()
            runs.append(time.perf_counter() - start)
        times.append(min(runs[1:]))
    torch.set_num_threads(threads)
    return times[0] < times[1]
