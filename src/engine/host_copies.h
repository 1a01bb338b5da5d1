#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <memory>

namespace srdiff {

/// Copies from a device to the CPU that run while the device works on.
class HostCopies {
 public:
  explicit HostCopies(c10::Device device);
  HostCopies(const HostCopies&) = delete;
  HostCopies& operator=(const HostCopies&) = delete;
  /// Waits for the copies.
  ~HostCopies();

  /// The tensor on the CPU, contiguous; from a CUDA device its values are there after `wait`.
  at::Tensor add(const at::Tensor& tensor);
  void wait();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace srdiff
