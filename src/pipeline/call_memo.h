#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>

namespace srdiff {

/// Remembers what networks gave for an input, so that a picture that is made again needs them once.
/// Several threads may use it.
class CallMemo {
 public:
  /// What is kept takes at most so many bytes of memory; further results are computed each time.
  explicit CallMemo(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  /// What `network` gives for `input`: call(), or what it gave for an input of the same shape and
  /// values before. The result is on the input's device.
  at::Tensor operator()(const std::string& network, const at::Tensor& input,
                        const std::function<at::Tensor()>& call);

  /// Calls whose result was remembered.
  std::int64_t hits() const;

 private:
  const std::size_t max_bytes_;
  mutable std::mutex mutex_;
  std::map<std::string, at::Tensor> results_;  ///< on the CPU
  std::size_t bytes_ = 0;
  std::int64_t hits_ = 0;
};

}  // namespace srdiff
