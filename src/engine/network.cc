#include "srdiff/network.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/script.h>

#include <memory>
#include <mutex>
#include <sstream>
#include <string>

#include "engine/backend.h"
#include "engine/memory_reader.h"
#include "engine/network_archive.h"
#include "srdiff/error.h"

namespace torch::jit {
/// Declared by LibTorch in upgraders_entry.h, a header that Debian's package lacks.
TORCH_API void populate_upgraders_graph_map();
}  // namespace torch::jit

namespace srdiff {
namespace {

/// Compiles LibTorch's replacements for the operators of older files, once. torch::jit::load would
/// compile them in every thread that calls it before the first has finished.
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

/// Throws ModelError with the file's name where it is not what it should be.
void look_into(std::string_view bytes, const std::string& name) {
  try {
    check_network_archive(bytes);
  } catch (const ModelError& error) {
    if (error.code() != ErrorCode::network_not_trusted) {
      throw;
    }
    throw ModelError(name + ": refused before it was loaded: " + error.what(), error.code());
  }
}

}  // namespace

struct Network::State {
  std::string name;
  c10::Device device;
  std::unique_ptr<DeviceNetwork> network = {};
};

Network Network::from_bytes(std::string_view bytes, const std::string& name, c10::Device device,
                            c10::ScalarType precision, NetworkTrust trust) {
  auto state = std::make_shared<State>(State{name, device});
  const Backend& backend = backend_for(device);
  try {
    if (trust == NetworkTrust::checked) {
      look_into(bytes, name);
    }
    prepare_to_load();
    // Reading from a stream, LibTorch would copy the file once more.
    torch::jit::Module module =
        torch::jit::load(std::shared_ptr<caffe2::serialize::ReadAdapterInterface>(
                             std::make_shared<MemoryReader>(bytes)),
                         device);
    module.eval();
    module.get_method("forward");
    state->network = backend.prepare(module, precision);
  } catch (const ModelError& error) {
    if (error.code() == ErrorCode::network_not_trusted) {
      throw;
    }
    throw ModelError(name + ": not a usable TorchScript network: " + error.what());
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
  try {
    // A run makes a few calls; the profiling executor would spend the first two on recording.
    const torch::jit::GraphOptimizerEnabledGuard simple_executor(false);
    return state_->network->run(inputs);
  } catch (const std::exception& error) {
    if (is_out_of_memory(error)) {
      state_->network->drop_recordings();
      throw MemoryError("not enough memory on " + state_->device.str());
    }
    throw ModelError(state_->name + ": the network failed: " + first_line(error.what()));
  }
}

void Network::drop_recordings() const {
  state_->network->drop_recordings();
}

}  // namespace srdiff
