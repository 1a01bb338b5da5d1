#include "engine/cuda/rewritten_network.h"

#include <ATen/ATen.h>
#include <torch/script.h>

#include <utility>

#include "engine/cuda/denoiser_methods.h"
#include "engine/cuda/device_state.h"
#include "engine/cuda/rewrite_graph.h"

namespace srdiff::cuda {
namespace {

/// Puts weights into channels_last, in which a GPU convolves without reordering images first.
void set_channels_last(torch::jit::Module& module) {
  const at::NoGradGuard no_gradients;
  for (at::Tensor weight : module.parameters()) {
    if (weight.dim() == 4) {
      weight.set_data(weight.contiguous(at::MemoryFormat::ChannelsLast));
    }
  }
}

}  // namespace

RewrittenNetwork::RewrittenNetwork(const torch::jit::Module& module, c10::Device device,
                                   c10::ScalarType precision)
    : module_(module), device_(device), precision_(precision) {
  const bool has_methods = has_denoiser_methods(module_);
  if (has_methods) {
    define_evaluation(module_);
    method_ = evaluation_method;
  }
  // A denoiser's prepare_input and finish_output compute in float32, and its body converts.
  casts_ = rewrite_graph(module_, method_, precision_) || has_methods;
  module_.to(precision_);
  set_channels_last(module_);
  if (has_methods) {
    encodings_.emplace(module_, device_);
  }
}

at::Tensor RewrittenNetwork::operator()(const std::vector<at::Tensor>& inputs) {
  const KernelChoice kernels(precision_);
  return graphs_(arguments_of(inputs), [this](const std::vector<at::Tensor>& tensors) {
    std::vector<c10::IValue> arguments;
    arguments.reserve(tensors.size());
    for (const at::Tensor& tensor : tensors) {
      // An encoding may be one level's, expanded to all images.
      arguments.emplace_back(tensor.dim() == 4 ? tensor : tensor.contiguous());
    }
    return module_.get_method(method_)(std::move(arguments)).toTensor().to(c10::kFloat);
  });
}

std::vector<at::Tensor> RewrittenNetwork::arguments_of(const std::vector<at::Tensor>& inputs) {
  std::vector<at::Tensor> arguments;
  for (const at::Tensor& input : inputs) {
    if (input.dim() == 4) {
      arguments.push_back(
          input.to(device_, casts_ ? c10::kFloat : precision_)
              .contiguous(casts_ ? at::MemoryFormat::Contiguous : at::MemoryFormat::ChannelsLast));
    } else if (encodings_) {
      const NoiseLevelEncoding encoding = (*encodings_)(input.to(c10::kFloat));
      arguments.insert(arguments.end(), {encoding.embedding, encoding.scales});
    } else {
      // The noise level stays exact: bf16 rounds √ᾱ_t to 1 for every t below 40.
      arguments.push_back(levels_on(device_, input.to(c10::kFloat)));
    }
  }
  return arguments;
}

const torch::jit::Graph& RewrittenNetwork::graph() const {
  return *module_.get_method(method_).graph();
}

}  // namespace srdiff::cuda
