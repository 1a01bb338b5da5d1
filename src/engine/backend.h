#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace torch::jit {
struct Module;
}  // namespace torch::jit

namespace srdiff {

/// A TorchScript network on one device, rewritten for it. Several threads may call it at once.
class DeviceNetwork {
 public:
  virtual ~DeviceNetwork() = default;

  /// Runs `forward` and returns float32. Inputs are on any device; images [N,C,H,W] are converted
  /// to the network's precision, all others to float32. Throws what LibTorch throws.
  virtual at::Tensor run(const std::vector<at::Tensor>& inputs) = 0;

  /// Forgets what was recorded of earlier calls, and gives back the memory of it.
  virtual void drop_recordings() {}
};

/// All that the program asks about a device. Rooms above the engine know no device by its name:
/// what depends on one is a question here, and cpu_backend.cc and cuda_backend.cc answer it.
class Backend {
 public:
  virtual ~Backend() = default;

  /// Whether networks take one image or tile a call, and several calls run beside each other
  /// (parallel_images.h). On the CPU kernels order their sums by the size of a batch, and the bytes
  /// of an image must not depend on the images beside it; elsewhere one call takes many images.
  virtual bool one_image_per_call() const = 0;

  /// Whether networks run on the kernels of engine/cpu, which the benchmark times one by one.
  virtual bool runs_cpu_kernels() const { return false; }

  /// Whether networks can be computed in `precision`: fp32, bf16 or fp16.
  virtual bool computes(c10::ScalarType precision) const = 0;

  /// Whether the hardware multiplies bf16 faster than float32.
  virtual bool has_fast_bf16() const = 0;

  /// Bytes that further tensors can have; none where the device has no memory of its own.
  virtual std::optional<std::int64_t> free_memory() const { return std::nullopt; }

  /// Bytes of tensors that a call held at its worst moment beyond what was there before it; 0 where
  /// the device has no memory of its own.
  virtual std::int64_t peak_memory(const std::function<void()>& call) const;

  /// Waits until the device has done all that it was given.
  virtual void synchronize() const {}

  /// Whether the first calls of a shape prepare the later ones: kernels are chosen by trying, and
  /// calls are recorded.
  virtual bool prepares_shapes() const { return false; }

  /// Side of square matrices whose product takes long enough to be timed, and bytes of a copy that
  /// no cache of the device holds.
  struct CeilingSizes {
    std::int64_t matrix_side;
    std::int64_t copied_bytes;
  };
  virtual CeilingSizes ceiling_sizes() const = 0;

  /// noise_batch (srdiff/noise.h) of the window at (x0, y0): [keys, 3, height, width] float32 on
  /// the device. Nothing waits for it.
  virtual at::Tensor noise(const std::vector<std::uint64_t>& keys, int step, std::int64_t height,
                           std::int64_t width, std::int64_t y0, std::int64_t x0) const = 0;

  /// Rewrites a network whose tensors are on the device, and converts its weights to `precision`.
  /// Throws what LibTorch throws.
  virtual std::unique_ptr<DeviceNetwork> prepare(const torch::jit::Module& module,
                                                 c10::ScalarType precision) const = 0;
};

/// The back end of a device; it lives as long as the process. Throws ModelError on a device that
/// this program or this machine does not have.
const Backend& backend_for(c10::Device device);

/// While it lives, networks' calls on this thread are made as they stand, neither recorded nor
/// replayed: whoever watches operators or memory sees those of one call.
class UnrecordedCalls {
 public:
  UnrecordedCalls();
  UnrecordedCalls(const UnrecordedCalls&) = delete;
  UnrecordedCalls& operator=(const UnrecordedCalls&) = delete;
  ~UnrecordedCalls();

 private:
  struct Flag;
  std::unique_ptr<Flag> flag_;
};

/// The same, and no kernels are chosen by trying either: for calls of a size that comes once.
class OneOffCalls {
 public:
  OneOffCalls();
  OneOffCalls(const OneOffCalls&) = delete;
  OneOffCalls& operator=(const OneOffCalls&) = delete;
  ~OneOffCalls();

 private:
  struct Flag;
  UnrecordedCalls unrecorded_;
  std::unique_ptr<Flag> flag_;
};

}  // namespace srdiff
