#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <string>

namespace srdiff {

/// "auto" (CUDA when there is one, else the CPU), "cpu", "cuda" or "cuda:N".
/// Throws UsageError on another word, ModelError when the device is absent on this machine.
c10::Device parse_device(const std::string& word);

/// The arithmetic of the denoiser: "fp32", "bf16" or "fp16". Throws UsageError on another word.
c10::ScalarType parse_precision(const std::string& word);
std::string to_string(c10::ScalarType precision);

/// Processors this process may run on: the default for set_threads. LibTorch's own default is
/// half of the machine's.
int available_processors();

/// Threads for a network evaluation by the calling thread. Where LibTorch brings its own OpenMP
/// other threads may follow: set theirs again afterwards. An OpenBLAS with threads of its own is
/// left with one, for the whole process. Throws UsageError when count < 1.
void set_threads(int count);

/// The LibTorch that runs, its thread count, instruction sets and devices, one "key: value" a line.
std::string describe_machine();

}  // namespace srdiff
