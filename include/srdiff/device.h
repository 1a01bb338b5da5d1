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

// The next three change the process. The library never calls them itself: that is for the program.

/// Threads for a network evaluation by the calling thread. Where LibTorch brings its own OpenMP
/// other threads may follow: set theirs again afterwards. An OpenBLAS with threads of its own is
/// left with one, for the whole process. Throws UsageError outside 1 to 1024.
void set_threads(int count);

/// Replaces LibTorch's CPU allocator, for the whole process, by one that keeps the large blocks of
/// networks between their layers and calls. Without it the C library returns such blocks to the
/// system, which clears their pages again: a quarter of an evaluation of the paper-size network at
/// eight pictures. Results are the same. To be called once, before networks run.
void use_activation_pool();

/// Chooses, for the whole process, how LibTorch computes on CUDA devices. Products of float32 are
/// computed in float32, not in TF32 with its 10 bits, which is cuDNN's default, and convolutions
/// give the same bits each time. To be called once, before networks run. Does nothing to the CPU.
void use_exact_cuda_arithmetic();

/// What figures and times depend on besides the model.
struct Machine {
  std::string libtorch;
  std::string processor;        ///< its name, or "unknown"
  int processors = 0;           ///< see available_processors
  int threads = 0;              ///< see set_threads
  std::string instruction_set;  ///< such as "AVX2", or "AVX512, LibTorch AVX2" where they differ
  int cuda_devices = 0;
};

/// The machine as it is set now.
Machine this_machine();

}  // namespace srdiff
