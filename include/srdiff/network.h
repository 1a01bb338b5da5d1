#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace srdiff {

/// One network's file in a folder that a manifest describes.
struct NetworkFile {
  std::string path;    ///< relative to the folder
  std::string sha256;  ///< 64 lower-case hexadecimal digits
};

/// Whether a TorchScript file is looked into before LibTorch loads it: TorchScript is code.
enum class NetworkTrust {
  checked,    ///< refused unless it holds what networks need and nothing else (docs/MODELS.md)
  unchecked,  ///< loaded as it is; it may do all that the process may
};

/// A trained network: tensors in, one tensor out. No public header knows TorchScript, so that
/// another back end can stand beside it.
///
/// Copies share the weights. Calls do not record gradients. Several threads may call a network at
/// once; on the CPU their calls run side by side.
class Network {
 public:
  /// No network; `defined` is false.
  Network() = default;

  /// Reads a TorchScript file from memory, its weights converted to `precision` on `device`.
  /// `name` is what messages call it.
  /// Throws ModelError when the bytes are not a TorchScript module with a `forward`, and, with
  /// ErrorCode::network_not_trusted, when they hold what `trust` does not let pass.
  static Network from_bytes(std::string_view bytes, const std::string& name, c10::Device device,
                            c10::ScalarType precision, NetworkTrust trust = NetworkTrust::checked);

  bool defined() const { return state_ != nullptr; }

  /// Runs the network. Inputs are moved to its device, images [N,C,H,W] converted to its precision,
  /// all others (the noise level [N]) to float32; the result is float32 on the same device.
  /// Throws ModelError when the network fails, for instance on a shape that it does not take;
  /// MemoryError when memory does not hold what the call needs.
  at::Tensor operator()(const std::vector<at::Tensor>& inputs) const;

  /// Forgets what was recorded of calls on a CUDA device, and gives its memory back.
  void drop_recordings() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace srdiff
