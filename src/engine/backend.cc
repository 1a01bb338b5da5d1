#include "engine/backend.h"

#include "engine/backend_list.h"
#include "engine/cuda/device_state.h"
#include "engine/cuda/graph_replay.h"
#include "srdiff/error.h"

namespace srdiff {

std::int64_t Backend::peak_memory(const std::function<void()>& call) const {
  call();
  return 0;
}

const Backend& backend_for(c10::Device device) {
  switch (device.type()) {
    case c10::kCPU:
      return cpu_backend();
    case c10::kCUDA:
      return cuda_backend(device.has_index() ? device.index() : c10::DeviceIndex{0});
    default:
      throw ModelError("there is no back end for the device '" + device.str() + "'",
                       ErrorCode::device_absent);
  }
}

struct UnrecordedCalls::Flag {
  cuda::WithoutCudaGraphs flag;
};

UnrecordedCalls::UnrecordedCalls() : flag_(std::make_unique<Flag>()) {}
UnrecordedCalls::~UnrecordedCalls() = default;

struct OneOffCalls::Flag {
  cuda::WithoutKernelTrials flag;
};

OneOffCalls::OneOffCalls() : flag_(std::make_unique<Flag>()) {}
OneOffCalls::~OneOffCalls() = default;

}  // namespace srdiff
