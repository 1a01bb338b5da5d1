#include "benchmark/benchmark.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/script.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "base/file_io.h"
#include "benchmark/benchmark_comparison.h"
#include "benchmark/benchmark_file.h"
#include "benchmark/layer_products.h"
#include "engine/cpu/convolution.h"
#include "engine/cpu/operators.h"
#include "engine/cpu/rewrite_graph.h"
#include "srdiff/device.h"
#include "srdiff/error.h"
#include "srdiff/model.h"
#include "support/temporary_folder.h"
#include "support/test_model.h"

namespace srdiff {
namespace {

using support::make_test_model;
using support::TemporaryFolder;

double flops_of(const std::function<void()>& call) {
  double sum = 0.0;
  for (const auto& [product, calls] : record_products(call)) {
    sum += static_cast<double>(calls) * flops(product);
  }
  return sum;
}

TEST(Products, AConvolutionIsCountedByItsShape) {
  const at::Tensor x = at::rand({2, 6, 9, 7});
  const at::Tensor w = at::rand({4, 3, 3, 3});
  // 2 images, 4 outputs of 5x4 pixels, each a sum over one group's 3 channels of 3x3.
  EXPECT_EQ(flops_of([&] { at::conv2d(x, w, {}, 2, 1, 1, 2); }), 2.0 * 2 * 4 * 5 * 4 * 3 * 9);
  // Dilated by 2 a kernel reaches over 5 pixels.
  EXPECT_EQ(flops_of([&] {
              at::conv2d(x, w, {}, 1, at::IntArrayRef{0, 0}, 2, 2);
            }),
            2.0 * 2 * 4 * 5 * 3 * 3 * 9);
  // Each of 9x7 pixels and 6 channels is spread over 5 outputs and 2x2 pixels.
  const at::Tensor spread = at::rand({6, 5, 2, 2});
  EXPECT_EQ(flops_of([&] { at::conv_transpose2d(x, spread, {}, 2); }), 2.0 * 2 * 9 * 7 * 6 * 5 * 4);
}

TEST(Products, MatrixProductsAreCountedOnce) {
  const at::Tensor a = at::rand({3, 5});
  const at::Tensor b = at::rand({7, 5});
  const at::Tensor bias = at::rand({7});
  EXPECT_EQ(flops_of([&] { at::linear(a, b, bias); }), 2.0 * 3 * 5 * 7);
  EXPECT_EQ(flops_of([&] { at::matmul(a, b.t()); }), 2.0 * 3 * 5 * 7);
  EXPECT_EQ(flops_of([&] {
              at::bmm(at::rand({2, 3, 4}), at::rand({2, 4, 6}));
            }),
            2.0 * 2 * 3 * 4 * 6);
  EXPECT_EQ(flops_of([&] { at::silu(a + 1); }), 0.0);
}

TEST(Products, TrafficIsOperandsAndResultOnce) {
  const auto expect = [](const at::Tensor& left, const at::Tensor& right,
                         const std::function<at::Tensor()>& call) {
    at::Tensor result;
    const auto products = record_products([&] { result = call(); });
    ASSERT_EQ(products.size(), 1U);
    EXPECT_EQ(traffic(products[0].first),
              static_cast<double>(left.nbytes() + right.nbytes() + result.nbytes()));
  };
  const at::Tensor x = at::rand({2, 6, 9, 7});
  const at::Tensor w = at::rand({4, 3, 3, 3});
  expect(x, w, [&] { return at::conv2d(x, w, {}, 2, 1, 1, 2); });
  const at::Tensor spread = at::rand({6, 5, 2, 2});
  expect(x, spread, [&] { return at::conv_transpose2d(x, spread, {}, 2, 1, 1); });
  const at::Tensor a = at::rand({2, 3, 4});
  const at::Tensor b = at::rand({2, 4, 6});
  expect(a, b, [&] { return at::bmm(a, b); });
}

TEST(Products, ConvolutionsThatRoundToBf16AreOfBf16) {
  if (!cpu::has_bf16_convolutions()) {
    GTEST_SKIP() << "a processor without bf16";
  }
  torch::jit::Module module("Two");
  module.register_parameter("first", at::randn({32, 3, 3, 3}), false);
  module.register_parameter("second", at::randn({16, 32, 3, 3}), false);
  module.define(R"(
def forward(self, x):
    return torch.conv2d(torch.conv2d(x, self.first), self.second)
)");
  const c10::InferenceMode no_gradients;
  cpu::rewrite_graph(module, /*in_bf16=*/true);
  const torch::jit::GraphOptimizerEnabledGuard simple_executor(false);
  const at::Tensor x = at::rand({1, 3, 12, 12});
  const auto products = record_products([&] { module.forward({x}); });
  ASSERT_EQ(products.size(), 2U);
  const Product& plain = products[0].first;  // three channels fill no block
  const Product& rounded = products[1].first;
  EXPECT_EQ(plain.type, at::kFloat);
  EXPECT_EQ(rounded.type, at::kBFloat16);
  EXPECT_EQ(flops(rounded), 2.0 * 16 * 8 * 8 * 32 * 9);
  EXPECT_EQ(layouts_of(rounded, at::kCPU).back().name, "as srdiff calls it");
  layouts_of(rounded, at::kCPU).back().run();
}

TEST(Products, MergedLinearLayersAreCounted) {
  torch::jit::Module module("Embedded");
  module.register_parameter("first", at::randn({24, 8}), false);
  module.register_parameter("second", at::randn({16, 8}), false);
  module.register_parameter("b", at::randn({24}), false);
  module.register_parameter("c", at::randn({16}), false);
  module.define(R"(
def forward(self, x):
    return torch.linear(x, self.first, self.b), torch.linear(x, self.second, self.c)
)");
  const c10::InferenceMode no_gradients;
  cpu::rewrite_graph(module);
  const torch::jit::GraphOptimizerEnabledGuard simple_executor(false);
  const at::Tensor x = at::rand({3, 8});
  const auto products = record_products([&] { module.forward({x}); });
  ASSERT_EQ(products.size(), 1U);
  EXPECT_EQ(flops(products[0].first), 2.0 * 3 * 8 * (24 + 16));
  for (const ProductLayout& layout : layouts_of(products[0].first, at::kCPU)) {
    layout.run();
  }
}

// As networks.py writes it. Not recognised it would still be right, only slower.
TEST(Products, AttentionIsRecognisedAndCounted) {
  torch::jit::Module module("Attending");
  module.define(R"(
def forward(self, query, key, value):
    weight = torch.softmax(torch.bmm(query.transpose(1, 2), key) / 2.0, dim=-1)
    return torch.bmm(value, weight.to(value.dtype).transpose(1, 2))
)");
  const c10::InferenceMode no_gradients;
  const at::Tensor query = at::randn({2, 4, 6});
  const at::Tensor key = at::randn({2, 4, 5});
  const at::Tensor value = at::randn({2, 3, 5});
  const at::Tensor weight = at::softmax(at::bmm(query.transpose(1, 2), key) / 2.0, -1);
  const at::Tensor expected = at::bmm(value, weight.transpose(1, 2));
  cpu::rewrite_graph(module);
  const torch::jit::GraphOptimizerEnabledGuard simple_executor(false);
  at::Tensor measured;
  const auto products = record_products([&] {
    measured = module.forward({query, key, value}).toTensor();
  });
  ASSERT_EQ(products.size(), 1U);
  EXPECT_TRUE(at::allclose(measured, expected, 1e-5, 1e-6));
  const Product& product = products[0].first;
  EXPECT_EQ(describe(product), "attention of [2,4,6] to [2,4,5]");
  EXPECT_EQ(flops(product), 2.0 * 2 * 6 * 5 * (4 + 3));
  for (const ProductLayout& layout : layouts_of(product, at::kCPU)) {
    layout.run();
  }
}

TEST(Products, EqualCallsAreOneProductWithACount) {
  const at::Tensor x = at::rand({1, 3, 8, 8});
  const at::Tensor w = at::rand({3, 3, 3, 3});
  const auto products = record_products([&] {
    at::conv2d(at::conv2d(x, w, {}, 1, 1), w, {}, 1, 1);
    at::conv2d(x, w, {}, 2, 1);
  });
  ASSERT_EQ(products.size(), 2U);
  EXPECT_EQ(products[0].second, 2);
  EXPECT_EQ(describe(products[0].first), "convolution [1,3,8,8] with [3,3,3,3]");
  EXPECT_EQ(products[1].second, 1);
  EXPECT_EQ(describe(products[1].first), "convolution [1,3,8,8] with [3,3,3,3], stride [2,2]");
}

// The interpreter's stack holds more than an operator's inputs.
TEST(Products, ThoseOfATorchScriptNetworkAreCounted) {
  const TemporaryFolder folder;
  support::TestModelOptions options;
  options.denoiser_source =
      "def forward(self, condition, x_t, noise_level):\n"
      "    rows = x_t.reshape(-1, x_t.size(2), x_t.size(3))\n"
      "    sides = [condition, torch.bmm(rows, rows.transpose(1, 2)).reshape(x_t.shape)]\n"
      "    flat = torch.addmm(x_t[0, 0], x_t[0, 1], x_t[0, 2])\n"
      "    return sides[0] + sides[1] + torch.conv2d(x_t, self.second[:, :3], None, [1, 1], [1, 1])"
      " + flat\n";
  const Model model = Model::load(make_test_model(folder.path() / "model", options));
  const at::Tensor x = at::rand({2, 3, 8, 8});
  EXPECT_EQ(flops_of([&] { model.denoise(x, x, 300); }),
            2.0 * 8 * 8 * 8 * (6 + 1) + 2.0 * 2 * 8 * 8 * 3 * 3 * 9);
}

// A floor of other work would be no floor.
TEST(Products, EveryLayoutDoesTheSameProduct) {
  const at::Tensor x = at::rand({2, 3, 8, 6});
  const at::Tensor w = at::rand({4, 3, 3, 3});
  const at::Tensor bias = at::rand({4});
  const at::Tensor a = at::rand({2, 5, 3});
  const auto products = record_products([&] {
    at::conv2d(x, w, bias, 2, 1);
    at::conv_transpose2d(x, at::rand({3, 2, 2, 2}), {}, 2);
    at::bmm(a.transpose(1, 2), a);
  });
  ASSERT_EQ(products.size(), 3U);
  for (const auto& [product, calls] : products) {
    const std::vector<ProductLayout> layouts = layouts_of(product, c10::kCPU);
    EXPECT_GE(layouts.size(), 2U);
    for (const ProductLayout& layout : layouts) {
      EXPECT_EQ(flops_of(layout.run), flops(product)) << describe(product) << ", " << layout.name;
    }
  }
}

// Without srdiff's call a floor was higher than what it calls a network's first and last layer for.
TEST(Products, ConvolutionsOfChannelsThatDoNotFillBlocksAreTimedAsSrdiffCallsThem) {
  if (!cpu::fits_blocks(at::zeros({64, 24, 3, 3})) ||
      !cpu::fits_blocks(at::zeros({12, 64, 3, 3}))) {
    GTEST_SKIP() << "images are not in blocks here";
  }
  for (const auto& [inputs, outputs] : {std::pair{24, 64}, std::pair{64, 12}}) {
    const at::Tensor x = at::rand({1, inputs, 16, 16});
    const at::Tensor w = at::rand({outputs, inputs, 3, 3});
    const auto products = record_products([&] { at::conv2d(x, w, {}, 1, 1); });
    ASSERT_EQ(products.size(), 1U);
    const std::vector<ProductLayout> layouts = layouts_of(products[0].first, c10::kCPU);
    EXPECT_TRUE(layouts.back().own) << describe(products[0].first);
  }
}

TEST(Timing, IsTheMedianWithItsRange) {
  const Timing odd = timing_of({3, 1, 2});
  EXPECT_EQ(odd.median, 2);
  EXPECT_EQ(odd.least, 1);
  EXPECT_EQ(odd.most, 3);
  EXPECT_EQ(timing_of({4, 1, 2, 3}).median, 2.5);
}

class BenchmarkTest : public ::testing::Test {
 protected:
  // With more threads as many pictures are timed at once too.
  void SetUp() override { set_threads(1); }
  void TearDown() override { set_threads(threads_before_); }
  Benchmark run(const BenchmarkOptions& options = {
                    .batches = {1, 2}, .sizes = {16}, .repeats = 1}) {
    const auto model = make_test_model(folder_.path() / "model");
    return run_benchmark(model, read_manifest(model), c10::kCPU, c10::kFloat, options);
  }
  TemporaryFolder folder_;
  const int threads_before_ = at::get_num_threads();
};

TEST_F(BenchmarkTest, TimesAsManyPicturesAtOnceAsThreads) {
  set_threads(2);
  const Benchmark benchmark = run({.batches = {1}, .sizes = {16}, .repeats = 1});
  ASSERT_EQ(benchmark.images.size(), 2U);
  EXPECT_EQ(benchmark.images[0].images, 1);
  EXPECT_EQ(benchmark.images[1].images, 2);
}

TEST_F(BenchmarkTest, MeasuresEachBatchAndSize) {
  const Benchmark benchmark = run({.batches = {1, 2}, .sizes = {16, 24}, .repeats = 1});
  ASSERT_EQ(benchmark.evaluations.size(), 4U);
  ASSERT_EQ(benchmark.images.size(), 2U);
  EXPECT_EQ(benchmark.images[1].size, 24);
  EXPECT_EQ(benchmark.images[1].nfe, 8);
  EXPECT_GT(benchmark.images[1].regressor_seconds, 0.0);
  EXPECT_GT(benchmark.images[1].weight_map_seconds, 0.0);
  for (const EvaluationBenchmark& evaluation : benchmark.evaluations) {
    // The tiny denoiser: 7 to 8 and 8 to 3 channels, both 3x3 at full size.
    const auto pixels = static_cast<double>(evaluation.batch * evaluation.size * evaluation.size);
    EXPECT_EQ(evaluation.flops(), pixels * 2 * 9 * (7 * 8 + 8 * 3));
    EXPECT_EQ(evaluation.products.size(), 2U);
    EXPECT_GT(evaluation.floor_seconds(), 0.0);
    EXPECT_GT(evaluation.matrix_flops_per_second, 0.0);
    // Images of 7, 8, 8 and 3 channels, and the weights.
    const double values = pixels * (7 + 8 + 8 + 3) + 9 * (7 * 8 + 8 * 3);
    EXPECT_DOUBLE_EQ(evaluation.traffic_seconds() * evaluation.copy_bytes_per_second, 4 * values);
    EXPECT_LE(evaluation.seconds.least, evaluation.seconds.median);
    EXPECT_LE(evaluation.seconds.median, evaluation.seconds.most);
    EXPECT_EQ(evaluation.share_of_floor(), evaluation.floor_seconds() / evaluation.seconds.median);
  }
  EXPECT_GT(benchmark.load_seconds, 0.0);
  EXPECT_GT(benchmark.peak_memory_bytes, 1 << 20);
}

TEST_F(BenchmarkTest, AModelWithoutRegressorStartsFromNoise) {
  const auto model =
      make_test_model(folder_.path() / "bare", {.regressor = false, .weight_map = false});
  const Manifest manifest = read_manifest(model);
  BenchmarkOptions options{.batches = {1}, .sizes = {16}, .repeats = 1};
  const ImageBenchmark image =
      run_benchmark(model, manifest, c10::kCPU, c10::kFloat, options).images[0];
  EXPECT_EQ(image.nfe, 8);
  EXPECT_EQ(image.regressor_seconds, 0.0);
  EXPECT_EQ(image.weight_map_seconds, 0.0);
  options.settings =
      resolve_settings({.start = Start::noise, .weight_map = false, .nfe = 3}, manifest);
  const ImageBenchmark other =
      run_benchmark(model, manifest, c10::kCPU, c10::kFloat, options).images[0];
  EXPECT_EQ(other.what(), "one image, 16 px, 3 evaluations, from noise");
}

TEST_F(BenchmarkTest, IsReadAsItWasWritten) {
  const Benchmark benchmark = run();
  const auto path = folder_.path() / "bench.json";
  write_file_atomically(path, benchmark_json(benchmark));
  const Benchmark read = read_benchmark(path);
  const auto written = nlohmann::json::parse(benchmark_json(benchmark)).flatten();
  const auto again = nlohmann::json::parse(benchmark_json(read)).flatten();
  ASSERT_EQ(again.size(), written.size());
  for (const auto& [field, value] : written.items()) {
    ASSERT_TRUE(again.contains(field)) << field;
    // Rates are written in units of 1e9 a second, and rounded on the way there and back.
    if (value.is_number_float()) {
      EXPECT_DOUBLE_EQ(again[field].get<double>(), value.get<double>()) << field;
    } else {
      EXPECT_EQ(again[field], value) << field;
    }
  }
  const BenchmarkComparison comparison = compare_benchmarks(read, benchmark);
  EXPECT_TRUE(comparison.differences.empty());
  EXPECT_GE(comparison.changes.size(), 10U);
  for (const BenchmarkChange& change : comparison.changes) {
    EXPECT_EQ(change.ratio(), 1.0) << change.what;
  }
}

TEST_F(BenchmarkTest, AFileOfAnotherKindIsRefused) {
  const auto path = folder_.path() / "other.json";
  for (const char* text : {"no json", "[1]", "{}", R"({"format": 2})",
                           R"({"format": 1, "circumstances": {"threads": 2}})"}) {
    write_file_atomically(path, text);
    EXPECT_THROW(read_benchmark(path), InputError) << text;
  }
  EXPECT_THROW(read_benchmark(folder_.path() / "absent.json"), InputError);
  write_file_atomically(path, std::string(100000, '[') + std::string(100000, ']'));
  EXPECT_THROW(read_benchmark(path), InputError);
}

TEST_F(BenchmarkTest, CircumstancesKeepTheirOrderInAFile) {
  Benchmark benchmark;
  benchmark.circumstances = {{"threads", "2"}, {"processor", "A"}, {"model", "tiny"}};
  const auto path = folder_.path() / "benchmark.json";
  write_file_atomically(path, benchmark_json(benchmark));
  EXPECT_EQ(read_benchmark(path).circumstances, benchmark.circumstances);
}

TEST_F(BenchmarkTest, WhatCannotBeMeasuredIsRefused) {
  const Manifest manifest = read_manifest(make_test_model(folder_.path() / "model"));
  EXPECT_EQ(resolve_benchmark(BenchmarkOptions{}, manifest).sizes, std::vector<std::int64_t>{32});
  EXPECT_THROW(resolve_benchmark(BenchmarkOptions{.repeats = 0}, manifest), UsageError);
  EXPECT_THROW(resolve_benchmark(BenchmarkOptions{.batches = {1, 0}}, manifest), UsageError);
  for (const std::int64_t size : {0, -8, 12, 4096}) {
    EXPECT_THROW(resolve_benchmark(BenchmarkOptions{.sizes = {size}}, manifest), UsageError)
        << size;
  }
}

TEST_F(BenchmarkTest, StopsWhenAsked) {
  const auto model = make_test_model(folder_.path() / "model");
  BenchmarkObserver observer;
  int asked = 0;
  observer.cancelled = [&] { return ++asked == 3; };
  EXPECT_THROW(run_benchmark(model, read_manifest(model), c10::kCPU, c10::kFloat, {}, observer),
               Cancelled);
}

TEST(BenchmarkComparison, TellsRatiosAndWhatDiffers) {
  Benchmark before;
  before.circumstances = {{"threads", "2"}, {"processor", "A"}};
  before.load_seconds = 2.0;
  before.evaluations = {{1, 64, {0.5, 0.4, 0.6}, {{"a product", 2, 1e9, 0.1, "NCHW"}}},
                        {8, 64, {4.0, 4.0, 4.0}, {}}};
  before.images = {{64, 8, {4.0, 4.0, 4.0}}};
  Benchmark now = before;
  now.circumstances = {{"threads", "1"}, {"processor", "A"}};
  now.load_seconds = 1.0;
  now.evaluations.pop_back();
  now.evaluations[0].seconds.median = 0.25;
  now.images[0].nfe = 4;  // other work: not compared
  const BenchmarkComparison comparison = compare_benchmarks(before, now);
  EXPECT_EQ(comparison.differences, std::vector<std::string>{"threads: 2 before, 1 now"});
  ASSERT_EQ(comparison.changes.size(), 6U);
  EXPECT_EQ(comparison.changes[0].what, "evaluation, batch 1, 64 px: seconds");
  EXPECT_EQ(comparison.changes[0].ratio(), 0.5);
  EXPECT_EQ(comparison.changes[1].ratio(), 1.0);
  EXPECT_EQ(comparison.changes[2].before, 0.4);
  EXPECT_EQ(comparison.changes[2].now, 0.8);
  EXPECT_EQ(comparison.changes[3].ratio(), 0.5);

  now.evaluations[0].size = 128;
  EXPECT_THROW(compare_benchmarks(before, now), InputError);
}

TEST(BenchmarkComparison, ImagesThatStartInAnotherWayAreOtherWork) {
  Benchmark before;
  before.evaluations = {{1, 64, {0.5, 0.4, 0.6}, {}}};
  before.images = {{64, 8, {4.0, 4.0, 4.0}}};
  const std::size_t with_images = compare_benchmarks(before, before).changes.size();
  for (const Start start : {Start::noise, Start::sr}) {
    Benchmark now = before;
    now.images[0].start = start;
    EXPECT_EQ(compare_benchmarks(before, now).changes.size(), with_images - 1);
  }
  Benchmark now = before;
  now.images[0].weight_map = false;
  EXPECT_EQ(compare_benchmarks(before, now).changes.size(), with_images - 1);
}

TEST(BenchmarkComparison, WhatCannotBeComparedIsKnownBefore) {
  Benchmark before;
  before.evaluations = {{1, 64, {}, {}}, {8, 128, {}, {}}};
  EXPECT_NO_THROW(require_common(before, {.batches = {1, 2}, .sizes = {64}}));
  EXPECT_NO_THROW(require_common(before, {.batches = {8}, .sizes = {64, 128}}));
  EXPECT_THROW(require_common(before, {.batches = {8}, .sizes = {64}}), InputError);
  EXPECT_THROW(require_common(before, {.batches = {2}, .sizes = {64, 128}}), InputError);
}

}  // namespace
}  // namespace srdiff
