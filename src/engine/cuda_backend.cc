#include <ATen/ATen.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/cuda.h>

#include <mutex>

#include "engine/backend_list.h"
#include "engine/cuda/device_state.h"
#include "engine/cuda/rewritten_network.h"
#ifdef SRDIFF_CUDA
#include "engine/cuda/tensor_kernels.h"
#endif
#include "srdiff/error.h"

namespace srdiff {
namespace {

class CudaNetwork final : public DeviceNetwork {
 public:
  CudaNetwork(const torch::jit::Module& module, c10::Device device, c10::ScalarType precision)
      : network_(module, device, precision) {}

  at::Tensor run(const std::vector<at::Tensor>& inputs) override {
    const std::lock_guard one_call(mutex_);
    return network_(inputs);
  }

  void drop_recordings() override {
    const std::lock_guard one_call(mutex_);
    network_.drop_recordings();
  }

 private:
  std::mutex mutex_;
  cuda::RewrittenNetwork network_;
};

class CudaBackend final : public Backend {
 public:
  explicit CudaBackend(c10::DeviceIndex index) : device_(c10::kCUDA, index) {}

  bool one_image_per_call() const override { return false; }
  bool computes(c10::ScalarType /*precision*/) const override { return true; }
  bool has_fast_bf16() const override { return cuda::multiplies_bf16(device_); }
  std::optional<std::int64_t> free_memory() const override {
    return cuda::free_device_memory(device_);
  }
  std::int64_t peak_memory(const std::function<void()>& call) const override {
    return cuda::peak_device_memory(device_, call);
  }
  void synchronize() const override { torch::cuda::synchronize(device_.index()); }
  bool prepares_shapes() const override { return true; }
  CeilingSizes ceiling_sizes() const override { return {8192, std::int64_t{1024} << 20}; }

#ifdef SRDIFF_CUDA
  at::Tensor noise(const std::vector<std::uint64_t>& keys, int step, std::int64_t height,
                   std::int64_t width, std::int64_t y0, std::int64_t x0) const override {
    return cuda::noise(keys, step, height, width, y0, x0, device_);
  }
#else
  at::Tensor noise(const std::vector<std::uint64_t>& /*keys*/, int /*step*/,
                   std::int64_t /*height*/, std::int64_t /*width*/, std::int64_t /*y0*/,
                   std::int64_t /*x0*/) const override {
    throw ModelError("this program was built without CUDA");
  }
#endif

  std::unique_ptr<DeviceNetwork> prepare(const torch::jit::Module& module,
                                         c10::ScalarType precision) const override {
    return std::make_unique<CudaNetwork>(module, device_, precision);
  }

 private:
  c10::Device device_;
};

std::vector<CudaBackend> visible_devices() {
  std::vector<CudaBackend> devices;
  const auto count = static_cast<int>(torch::cuda::device_count());
  devices.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    devices.emplace_back(static_cast<c10::DeviceIndex>(i));
  }
  return devices;
}

}  // namespace

const Backend& cuda_backend(c10::DeviceIndex index) {
  static const std::vector<CudaBackend> devices = visible_devices();
  const auto place = static_cast<unsigned char>(index);
  if (index < 0 || place >= devices.size()) {
    throw ModelError("the device 'cuda:" + std::to_string(place) + "' is absent",
                     ErrorCode::device_absent);
  }
  return devices[place];
}

}  // namespace srdiff
