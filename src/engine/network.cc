#include "srdiff/network.h"

#include <ATen/ATen.h>
#include <caffe2/serialize/read_adapter_interface.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/script.h>

#include <mutex>
#include <optional>
#include <set>
#include <sstream>
#include <string>

#include "engine/cpu/activation_pool.h"
#include "engine/cpu/convolution.h"
#include "engine/cpu/operators.h"
#include "engine/cpu/rewrite_graph.h"
#include "engine/cuda/device_state.h"
#include "engine/cuda/graph_replay.h"
#include "engine/cuda/rewrite_graph.h"
#include "srdiff/error.h"

namespace torch::jit {
/// LibTorch's, in upgraders_entry.h, which Debian's package leaves out.
TORCH_API void populate_upgraders_graph_map();
}  // namespace torch::jit

namespace srdiff {
namespace {

/// Compiles what LibTorch replaces the operators of older files with. `load` does so too, but in
/// each of the threads that come to it before the first is done.
void prepare_to_load() {
  static std::once_flag once;
  std::call_once(once, torch::jit::populate_upgraders_graph_map);
}

/// LibTorch's messages carry a C++ stack trace; the first line that says something is the reason.
std::string first_line(const std::string& message) {
  std::istringstream lines(message);
  std::string line;
  std::string last;
  while (std::getline(lines, line)) {
    if (line.rfind("Exception raised", 0) == 0) {
      break;
    }
    // An error inside TorchScript ends with "RuntimeError: reason" behind a trace of its own.
    if (last.empty() || line.rfind("RuntimeError:", 0) == 0) {
      last = line;
    }
  }
  return last;
}

/// A file in memory, for LibTorch's reader.
class Bytes : public caffe2::serialize::ReadAdapterInterface {
 public:
  explicit Bytes(std::string_view bytes) : bytes_(bytes) {}

  std::size_t size() const override { return bytes_.size(); }

  std::size_t read(std::uint64_t position, void* buffer, std::size_t count,
                   const char* /*what*/) const override {
    if (position >= bytes_.size()) {
      return 0;
    }
    return bytes_.copy(static_cast<char*>(buffer), count, position);
  }

 private:
  std::string_view bytes_;
};

/// Whether most of a network's convolutions can be computed in blocks of channels, by weights.
bool is_for_blocks(const torch::jit::Module& module) {
  std::int64_t all = 0;
  std::int64_t fitting = 0;
  for (const at::Tensor& weight : module.parameters()) {
    if (weight.dim() == 4) {
      all += weight.numel();
      fitting += fits_blocks(weight) ? weight.numel() : 0;
    }
  }
  return 2 * fitting > all;
}

/// All of a network's floating-point values but the parameters named.
void set_float32(torch::jit::Module& module, const std::set<std::string>& others) {
  const at::NoGradGuard no_gradients;
  for (const auto& parameter : module.named_parameters()) {
    if (others.count(parameter.name) == 0) {
      parameter.value.set_data(parameter.value.to(c10::kFloat));
    }
  }
  for (at::Tensor buffer : module.buffers()) {
    if (buffer.is_floating_point()) {
      buffer.set_data(buffer.to(c10::kFloat));
    }
  }
}

/// A GPU multiplies in channels_last without turning images around first.
void set_channels_last(torch::jit::Module& module) {
  const at::NoGradGuard no_gradients;
  for (at::Tensor weight : module.parameters()) {
    if (weight.dim() == 4) {
      weight.set_data(weight.contiguous(at::MemoryFormat::ChannelsLast));
    }
  }
}

}  // namespace

struct Network::State {
  torch::jit::Module module;
  OperatorStates operators;
  FeatureMemory memory;
  std::mutex mutex;   ///< of calls on a CUDA device
  CudaGraphs graphs;  ///< take one call at a time
  std::string name;
  c10::Device device = c10::kCPU;
  c10::ScalarType precision = c10::kFloat;
  bool casts = false;  ///< its inputs itself, from float32
};

Network Network::from_bytes(std::string_view bytes, const std::string& name, c10::Device device,
                            c10::ScalarType precision) {
  auto state = std::make_shared<State>();
  state->name = name;
  state->device = device;
  state->precision = precision;
  try {
    prepare_to_load();
    // Through a stream LibTorch would copy the file once more.
    state->module = torch::jit::load(
        std::shared_ptr<caffe2::serialize::ReadAdapterInterface>(std::make_shared<Bytes>(bytes)),
        device);
    state->module.eval();
    state->module.get_method("forward");
    if (device.is_cpu() && precision == c10::kBFloat16 && has_bf16_convolutions() &&
        is_for_blocks(state->module)) {
      // Convolutions alone: there the time is, and norms and sums keep float32's accuracy.
      state->operators.use_bf16();
      state->precision = c10::kFloat;
    }
    if (device.is_cpu() && state->precision == c10::kFloat && at::hasMKLDNN()) {
      set_float32(state->module, optimise_for_cpu(state->module));
    } else {
      if (device.is_cuda()) {
        state->casts = optimise_for_cuda(state->module, precision);
      }
      state->module.to(state->precision);
    }
    if (device.is_cuda()) {
      set_channels_last(state->module);
    }
  } catch (const std::exception& error) {
    if (is_out_of_memory(error)) {
      throw ModelError(name + ": not enough memory on " + device.str() + " to load it");
    }
    throw ModelError(name + ": not a usable TorchScript network: " + first_line(error.what()));
  }
  Network network;
  network.state_ = std::move(state);
  return network;
}

at::Tensor Network::operator()(const std::vector<at::Tensor>& inputs) const {
  const c10::InferenceMode no_gradients;
  std::vector<at::Tensor> arguments;
  arguments.reserve(inputs.size());
  for (const at::Tensor& input : inputs) {
    // The noise level stays exact: bf16 rounds √ᾱ_t to 1 for every t below 40.
    const bool image = input.dim() == 4 && !state_->casts;
    at::Tensor moved = input.to(state_->device, image ? state_->precision : c10::kFloat);
    if (state_->device.is_cuda()) {
      moved =
          moved.contiguous(image ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
    }
    arguments.push_back(std::move(moved));
  }
  const OperatorScope operators(state_->operators);
  std::optional<FeatureMemory::Call> memory;
  if (state_->device.is_cpu()) {
    memory.emplace(state_->memory);
  }
  std::unique_lock<std::mutex> one_call;
  if (state_->device.is_cuda()) {
    one_call = std::unique_lock(state_->mutex);
    set_cuda_policy(state_->precision);
  }
  try {
    // A run is a few calls: the profiling executor would spend the first two on recording.
    const torch::jit::GraphOptimizerEnabledGuard simple_executor(false);
    return state_->graphs(arguments, [&](const std::vector<at::Tensor>& tensors) {
      return state_->module.forward({tensors.begin(), tensors.end()}).toTensor().to(c10::kFloat);
    });
  } catch (const std::exception& error) {
    if (is_out_of_memory(error)) {
      state_->graphs.drop();
      throw MemoryError("not enough memory on " + state_->device.str());
    }
    throw ModelError(state_->name + ": the network failed: " + first_line(error.what()));
  }
}

void Network::drop_recordings() const {
  const std::lock_guard lock(state_->mutex);
  state_->graphs.drop();
}

}  // namespace srdiff
