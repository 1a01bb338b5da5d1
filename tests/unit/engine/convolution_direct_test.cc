#include "engine/cpu/convolution_direct.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "engine/cpu/blocked_layout.h"
#include "support/blocks_fixture.h"
#include "support/expect.h"

namespace srdiff::cpu {
namespace {

using support::expect_close;
using Two = std::vector<std::int64_t>;

class DirectConvolutionTest : public support::BlocksFixture {
 protected:
  static at::Tensor convolve(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                             const ConvolutionGeometry& steps, const at::Tensor& addend = {}) {
    return from_blocks(direct_convolution(to_blocks(x), direct_filters(weight), weight.sizes(),
                                          bias, steps,
                                          addend.defined() ? to_blocks(addend) : addend));
  }
};

TEST_F(DirectConvolutionTest, IsTheConvolution) {
  struct Case {
    Two filter, stride, padding, dilation;
  };
  // Filters of a point, of an even side, and not square; steps that leave pixels over.
  for (const Case& c : {Case{{1, 1}, {1, 1}, {0, 0}, {1, 1}},
                        {{3, 3}, {1, 1}, {1, 1}, {1, 1}},
                        {{3, 3}, {2, 2}, {1, 1}, {1, 1}},
                        {{2, 2}, {2, 2}, {0, 0}, {1, 1}},
                        {{1, 5}, {1, 3}, {0, 2}, {1, 1}},
                        {{3, 3}, {1, 2}, {2, 4}, {2, 4}}}) {
    // Lines shorter than a register tile, with a remainder, and without; a panel of outputs that is
    // not full.
    for (const std::int64_t width : {5, 8, 23}) {
      const at::Tensor x = at::randn({2, 48, 7, width});
      const at::Tensor weight = at::randn({80, 48, c.filter[0], c.filter[1]}) / 20;
      const at::Tensor bias = at::randn({80});
      const at::Tensor exact = at::conv2d(x.to(at::kDouble), weight.to(at::kDouble),
                                          bias.to(at::kDouble), c.stride, c.padding, c.dilation);
      const ConvolutionGeometry steps = {c.stride, c.padding, c.dilation};
      expect_close(convolve(x, weight, bias, steps), exact, 1e-5);
      const at::Tensor other = at::randn(exact.sizes());
      expect_close(convolve(x, weight, bias, steps, other), exact + other, 1e-5);
    }
  }
}

TEST_F(DirectConvolutionTest, TakesWeightsInHalf) {
  const at::Tensor x = at::randn({1, 16, 6, 6});
  const at::Tensor weight = (at::randn({16, 16, 3, 3}) / 10).to(at::kHalf);
  const at::Tensor bias = at::zeros({16});
  const Two one = {1, 1};
  expect_close(convolve(x, weight, bias, {one, one, one}),
               at::conv2d(x, weight.to(at::kFloat), bias, 1, 1), 1e-5);
}

TEST_F(DirectConvolutionTest, DependsNeitherOnTheThreadsNorOnCompany) {
  const at::Tensor x = at::randn({3, 64, 12, 13});
  const at::Tensor weight = at::randn({48, 64, 3, 3}) / 20;
  const at::Tensor bias = at::randn({48});
  const Two one = {1, 1};
  const Two two = {2, 2};
  const ConvolutionGeometry steps = {two, one, one};
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor alone = convolve(x, weight, bias, steps);
  for (const int threads : {2, 3, 7}) {
    at::set_num_threads(threads);
    EXPECT_TRUE(at::equal(convolve(x, weight, bias, steps), alone));
  }
  at::set_num_threads(before);
  EXPECT_TRUE(at::equal(convolve(x.narrow(0, 1, 1), weight, bias, steps), alone.narrow(0, 1, 1)));
}

}  // namespace
}  // namespace srdiff::cpu
