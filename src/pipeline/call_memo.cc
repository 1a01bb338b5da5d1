#include "pipeline/call_memo.h"

#include <ATen/ATen.h>

#include "base/sha256.h"

namespace srdiff {
namespace {

std::string key_of(const std::string& network, const at::Tensor& input) {
  const at::Tensor values = input.to(at::kCPU).contiguous();
  Sha256 hash;
  hash.update(network.data(), network.size());
  for (const std::int64_t size : values.sizes()) {
    hash.update_u64(static_cast<std::uint64_t>(size));
  }
  hash.update(values.data_ptr(), values.nbytes());
  return hash.hex();
}

}  // namespace

at::Tensor CallMemo::operator()(const std::string& network, const at::Tensor& input,
                                const std::function<at::Tensor()>& call) {
  const std::string key = key_of(network, input);
  {
    const std::lock_guard lock(mutex_);
    const auto found = results_.find(key);
    if (found != results_.end()) {
      ++hits_;
      return found->second.to(input.device());
    }
  }
  at::Tensor result = call();
  const at::Tensor kept = result.to(at::kCPU);
  const std::lock_guard lock(mutex_);
  if (bytes_ + kept.nbytes() <= max_bytes_ && results_.emplace(key, kept).second) {
    bytes_ += kept.nbytes();
  }
  return result;
}

std::int64_t CallMemo::hits() const {
  const std::lock_guard lock(mutex_);
  return hits_;
}

}  // namespace srdiff
