#include "batched_products.h"

#include <ATen/ATen.h>

#include <array>
#include <map>
#include <unordered_map>
#include <utility>

#ifdef SRDIFF_ONEDNN
#include <omp.h>

#include <dnnl.hpp>
#endif

namespace srdiff {

#ifdef SRDIFF_ONEDNN

namespace {

using Desc = dnnl::memory::desc;
constexpr auto float32 = dnnl::memory::data_type::f32;

/// Sides and strides of both factors: what kernels differ in.
using Sides = std::array<std::int64_t, 12>;

Sides sides_of(const at::Tensor& left, const at::Tensor& right) {
  Sides sides{};
  for (std::int64_t i = 0; i < 3; ++i) {
    const auto at = static_cast<std::size_t>(i);
    sides[at] = left.size(i);
    sides[at + 3] = left.stride(i);
    sides[at + 6] = right.size(i);
    sides[at + 9] = right.stride(i);
  }
  return sides;
}

/// While it lives, oneDNN makes kernels for one thread: those for several may cut a sum among them.
class ForOneThread {
 public:
  ForOneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ForOneThread(const ForOneThread&) = delete;
  ForOneThread& operator=(const ForOneThread&) = delete;
  ~ForOneThread() { omp_set_num_threads(before_); }

 private:
  int before_;
};

/// As oneDNN's kernels read it: each matrix of its own, rows or columns of it without gaps.
at::Tensor readable(const at::Tensor& matrices) {
  const bool repeats =
      matrices.stride(0) == 0 || matrices.stride(1) == 0 || matrices.stride(2) == 0;
  const bool gaps = matrices.stride(1) != 1 && matrices.stride(2) != 1;
  return repeats || gaps ? matrices.contiguous() : matrices;
}

}  // namespace

struct BatchedProducts::Kernels {
  struct Kernel {
    dnnl::matmul run;
    std::unordered_map<int, dnnl::memory> arguments;
    at::Tensor scratch;  ///< the kernel's, between calls of no meaning

    void set(int argument, const at::Tensor& tensor) {
      arguments.at(argument).set_data_handle(tensor.data_ptr());
    }
  };

  std::map<Sides, Kernel> of_shape;
  dnnl::engine processor = dnnl::engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream = dnnl::stream(processor);

  Kernel& find(const at::Tensor& left, const at::Tensor& right) {
    const auto [place, is_new] = of_shape.try_emplace(sides_of(left, right));
    if (is_new) {
      prepare(place->second, left, right);
    }
    return place->second;
  }

  void prepare(Kernel& kernel, const at::Tensor& left, const at::Tensor& right) {
    const std::int64_t rows = left.size(1);
    const std::int64_t columns = right.size(2);
    const Desc first(left.sizes().vec(), float32, left.strides().vec());
    const Desc second(right.sizes().vec(), float32, right.strides().vec());
    const Desc product({left.size(0), rows, columns}, float32, {rows * columns, columns, 1});
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const ForOneThread one;
    const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(first, second, product),
                                                   attributes, processor);
    kernel.run = dnnl::matmul(description);
    const Desc scratch = description.scratchpad_desc();
    kernel.scratch = at::empty({static_cast<std::int64_t>(scratch.get_size())}, at::kByte);
    kernel.arguments.emplace(DNNL_ARG_SRC, dnnl::memory(first, processor, nullptr));
    kernel.arguments.emplace(DNNL_ARG_WEIGHTS, dnnl::memory(second, processor, nullptr));
    kernel.arguments.emplace(DNNL_ARG_DST, dnnl::memory(product, processor, nullptr));
    kernel.arguments.emplace(DNNL_ARG_SCRATCHPAD,
                             dnnl::memory(scratch, processor, kernel.scratch.data_ptr()));
  }
};

BatchedProducts::BatchedProducts() : kernels_(std::make_unique<Kernels>()) {}

at::Tensor BatchedProducts::operator()(const at::Tensor& left, const at::Tensor& right) {
  const auto fits = [](const at::Tensor& x) {
    return x.dim() == 3 && x.scalar_type() == c10::kFloat && x.device().is_cpu() && x.numel() > 0;
  };
  if (!fits(left) || !fits(right) || left.size(0) != right.size(0) ||
      left.size(2) != right.size(1)) {
    return at::bmm(left, right);
  }
  const at::Tensor first = readable(left);
  const at::Tensor second = readable(right);
  at::Tensor product = at::empty({left.size(0), left.size(1), right.size(2)}, left.options());
  Kernels::Kernel& kernel = kernels_->find(first, second);
  kernel.set(DNNL_ARG_SRC, first);
  kernel.set(DNNL_ARG_WEIGHTS, second);
  kernel.set(DNNL_ARG_DST, product);
  kernel.run.execute(kernels_->stream, kernel.arguments);
  kernels_->stream.wait();
  return product;
}

void BatchedProducts::prepare() {
  // Parts of one tensor, as attention's: kernels for factors without gaps between matrices are
  // others.
  const std::vector<at::Tensor> parts = at::zeros({1, 4, 3}, at::kFloat).chunk(2, 1);
  BatchedProducts()(parts[0].transpose(1, 2), parts[1]);
}

#else

struct BatchedProducts::Kernels {};

BatchedProducts::BatchedProducts() = default;

void BatchedProducts::prepare() {}

at::Tensor BatchedProducts::operator()(const at::Tensor& left, const at::Tensor& right) {
  return at::bmm(left, right);
}

#endif

BatchedProducts::~BatchedProducts() = default;
BatchedProducts::BatchedProducts(BatchedProducts&&) noexcept = default;

}  // namespace srdiff
