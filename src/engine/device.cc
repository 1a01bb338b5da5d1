#include "srdiff/device.h"

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <sched.h>
#include <torch/cuda.h>
#include <torch/version.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <thread>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "base/enum_words.h"
#include "base/parse_number.h"
#include "engine/cpu/activation_pool.h"
#include "engine/cpu/blas_threads.h"
#include "engine/cpu/blocked_layout.h"
#include "engine/cuda/device_state.h"
#include "engine/device_choices.h"
#include "engine/scoped_threads.h"
#include "srdiff/error.h"

namespace srdiff {
namespace {

constexpr EnumWords<c10::ScalarType, 3> precision_words = {
    "the precision", {{{c10::kFloat, "fp32"}, {c10::kBFloat16, "bf16"}, {c10::kHalf, "fp16"}}}};

constexpr const char* any_device = "auto";
constexpr const char* processor_device = "cpu";
constexpr const char* graphics_device = "cuda";

int cuda_devices() {
  return static_cast<int>(torch::cuda::device_count());
}

/// The rest of the line behind `key` in LibTorch's description of its build.
std::string config_value(const std::string& key) {
  std::istringstream lines(at::show_config());
  for (std::string line; std::getline(lines, line);) {
    const std::size_t found = line.find(key);
    if (found != std::string::npos) {
      return line.substr(found + key.size());
    }
  }
  return "unknown";
}

std::string processor_name() {
  std::ifstream description("/proc/cpuinfo");
  for (std::string line; std::getline(description, line);) {
    const std::size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "unknown";
}

/// What convolutions and attention compute in, and LibTorch's other operators where theirs is
/// another: LibTorch 1.13 stays with AVX2 on processors that have AVX-512.
std::string instruction_set() {
  std::string libtorch = config_value("CPU capability usage: ");
#if defined(__x86_64__)
  const std::int64_t lanes = cpu::channel_block();
  const std::string own = lanes == 16 ? "AVX512" : lanes == 8 ? "AVX2" : libtorch;
  if (own != libtorch) {
    return own + ", LibTorch " + libtorch;
  }
#endif
  return libtorch;
}

c10::Device cuda_device(const std::string& word) {
  int device_index = 0;
  if (word.size() > 4) {
    device_index = word[4] == ':' ? parse_number<int>(word.substr(5)).value_or(-1) : -1;
    if (device_index < 0) {
      throw UsageError("the device '" + word + "' is not known; give auto, cpu, cuda or cuda:N");
    }
  }
  const int count = cuda_devices();
  if (device_index >= count) {
    throw ModelError("the device '" + word + "' is absent: " + "LibTorch sees " +
                         std::to_string(count) + " CUDA devices here",
                     ErrorCode::device_absent);
  }
  return {c10::kCUDA, static_cast<c10::DeviceIndex>(device_index)};
}

/// Whether LibTorch computes with the OpenMP that this program is linked to; a wheel brings its
/// own.
bool shares_openmp() {
#ifdef _OPENMP
  static const bool shares = [] {
    at::get_num_threads();  // a thread's first call sets the default
    const int before = ::omp_get_max_threads();
    ::omp_set_num_threads(before + 1);
    const bool follows = at::get_num_threads() == before + 1;
    ::omp_set_num_threads(before);
    return follows;
  }();
  return shares;
#else
  return false;
#endif
}

/// Sets the threads of evaluations by the calling thread.
void set_calling_threads(int count) {
  const bool shared = shares_openmp();
  // A thread's first call sets the default, and would undo what follows: of LibTorch, and of what
  // its headers make of at::parallel_for here, which is another where a LibTorch (Debian 13's 2.6)
  // hides it.
  at::get_num_threads();
  at::internal::lazy_init_num_threads();
#ifdef _OPENMP
  ::omp_set_num_threads(count);
#endif
  // Telling a LibTorch that shares our OpenMP would start the threads of a second pool that srdiff
  // has no use for, and they spin for 0.1 s.
  if (!shared) {
    at::set_num_threads(count);
  }
}

}  // namespace

c10::Device parse_device(const std::string& word) {
  if (word == any_device) {
    return cuda_devices() > 0 ? c10::Device(c10::kCUDA, 0) : c10::Device(c10::kCPU);
  }
  if (word == processor_device) {
    return c10::kCPU;
  }
  if (word.rfind(graphics_device, 0) == 0) {
    return cuda_device(word);
  }
  throw UsageError("the device '" + word + "' is not known; give auto, cpu, cuda or cuda:N");
}

std::vector<std::string> device_choices() {
  return {any_device, processor_device, graphics_device};
}

std::vector<std::string> precision_choices() {
  return precision_words.all();
}

c10::ScalarType parse_precision(const std::string& word) {
  return precision_words.parse(word);
}

std::string to_string(c10::ScalarType precision) {
  return precision_words.word(precision);
}

int available_processors() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof mask, &mask) == 0) {
    return std::max(1, CPU_COUNT(&mask));
  }
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

void set_threads(int count) {
  constexpr int most = 1024;  // tens of thousands end in a crash of OpenMP's
  if (count < 1 || count > most) {
    throw UsageError("threads = " + std::to_string(count) + "; give 1 to " + std::to_string(most));
  }
  // Networks hold small matrix products only, after which OpenBLAS's threads spin on, on processors
  // that the next operation's threads want. This comes first, since an OpenBLAS that runs on OpenMP
  // sets OpenMP's threads.
  cpu::set_blas_threads(1);
  set_calling_threads(count);
}

void use_activation_pool() {
  cpu::ActivationPool::install();
}

void use_exact_cuda_arithmetic() {
  cuda::use_exact_arithmetic();
}

ScopedThreads::ScopedThreads(int count) : before_(at::get_num_threads()) {
  set_calling_threads(count);
}

ScopedThreads::~ScopedThreads() {
  set_calling_threads(before_);
}

Machine this_machine() {
  return {TORCH_VERSION,         processor_name(),  available_processors(),
          at::get_num_threads(), instruction_set(), cuda_devices()};
}

}  // namespace srdiff
