#include "engine/cuda/rewrite_upsample_convolution.h"

#include <torch/script.h>

#include <vector>

namespace srdiff::cuda {
namespace {

Value* pair_of(Graph& graph, std::int64_t number) {
  return graph.insertConstant(std::vector<std::int64_t>{number, number});
}

/// A convolution that keeps the image's size and reads an image upsampled by 2.
bool reads_upsampled_image(const Node* convolution) {
  const Node* before = is(convolution, "aten::conv2d")
                           ? only_source(convolution->input(0), "srdiff::upsample_nearest")
                           : nullptr;
  return before != nullptr && is_constant(before->input(1), 2) &&
         is_list(convolution->input(3), {1, 1}) && is_list(convolution->input(4), {1, 1}) &&
         is_list(convolution->input(5), {1, 1}) && is_constant(convolution->input(6), 1);
}

}  // namespace

at::Tensor transposed_upsample_weight(const at::Tensor& weight) {
  // Which of three weights meet one pixel, for each of the four places that a result is made at.
  const at::Tensor met = at::tensor({0.0F, 0.0F, 1.0F,  //
                                     0.0F, 1.0F, 1.0F,  //
                                     1.0F, 1.0F, 0.0F,  //
                                     1.0F, 0.0F, 0.0F})
                             .reshape({4, 3})
                             .to(weight.options());
  return at::matmul(at::matmul(met, weight), met.t()).transpose(0, 1);
}

void fuse_upsample_convolutions(Graph& graph, const torch::jit::Module& module,
                                c10::ScalarType precision) {
  for_each_node(graph.block(), [&](Node* convolution) {
    if (!reads_upsampled_image(convolution)) {
      return;
    }
    const at::Tensor weight = stored_tensor(convolution->input(1), module, graph);
    if (!weight.defined() || weight.dim() != 4 || weight.size(2) != 3 || weight.size(3) != 3) {
      return;
    }
    const torch::jit::WithInsertPoint here(convolution);
    Value* transposed =
        graph.insertConstant(transposed_upsample_weight(weight).to(precision).contiguous(
            at::MemoryFormat::ChannelsLast));
    replace(convolution, "aten::conv_transpose2d",
            {convolution->input(0)->node()->input(0), transposed, convolution->input(2),
             pair_of(graph, 2), pair_of(graph, 1), pair_of(graph, 0), graph.insertConstant(1),
             pair_of(graph, 1)});
  });
}

}  // namespace srdiff::cuda
