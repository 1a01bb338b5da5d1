#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/util/Exception.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/memory_backoff.h"
#include "srdiff/device.h"
#include "srdiff/error.h"
#include "srdiff/upscaler.h"
#include "support/expect.h"
#include "support/temporary_folder.h"
#include "support/test_model.h"

namespace srdiff {
namespace {

using support::make_test_model;
using support::TemporaryFolder;
using support::TestModelOptions;

TEST(OutOfMemory, IsToldFromOtherFailures) {
  EXPECT_TRUE(is_out_of_memory(MemoryError("too large")));
  EXPECT_TRUE(is_out_of_memory(std::bad_alloc()));
  EXPECT_TRUE(is_out_of_memory(std::runtime_error("RuntimeError: CUDA out of memory. Tried to")));
  EXPECT_TRUE(is_out_of_memory(
      std::runtime_error("DefaultCPUAllocator: can't allocate memory: you tried to allocate")));
  EXPECT_TRUE(is_out_of_memory(
      std::runtime_error("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED")));
  EXPECT_TRUE(is_out_of_memory(
      std::runtime_error("FIND was unable to find an engine to execute this computation")));
  EXPECT_TRUE(is_out_of_memory(std::runtime_error("OpenCV(4.6.0) (-4:Insufficient memory) in")));
  EXPECT_FALSE(is_out_of_memory(std::runtime_error("sizes do not match")));
  EXPECT_FALSE(is_out_of_memory(InputError("out of memory.png: no such file")));
}

TEST(OutOfMemory, IsKnownFromLibTorchItself) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer ends the process";
#endif
  constexpr std::int64_t more_than_any_machine_has = std::int64_t{1} << 60;
  try {
    at::empty({more_than_any_machine_has});
    FAIL() << "the memory was there";
  } catch (const std::exception& error) {
    EXPECT_TRUE(is_out_of_memory(error)) << error.what();
  }
}

/// What run_with_memory_backoff makes and keeps where memory holds so many items at once.
struct Pieces {
  std::vector<std::pair<std::int64_t, std::int64_t>> kept = {};
  std::int64_t at_once = 0;
  int rooms_made = 0;

  Pieces(std::int64_t count, std::int64_t wanted, std::int64_t memory) {
    at_once = run_with_memory_backoff(
        count, wanted, "items",
        [&](std::int64_t first, std::int64_t last) {
          if (last - first > memory) {
            throw std::bad_alloc();
          }
        },
        [&](std::int64_t first, std::int64_t last) { kept.emplace_back(first, last); },
        [&] { ++rooms_made; });
  }
};

TEST(FittingPieces, AreAsLargeAsWantedWhereMemoryHoldsThem) {
  const Pieces pieces(7, 3, 3);
  EXPECT_EQ(pieces.at_once, 3);
  EXPECT_EQ(pieces.kept, (decltype(pieces.kept){{0, 3}, {3, 6}, {6, 7}}));
  EXPECT_EQ(pieces.rooms_made, 0);
}

TEST(FittingPieces, AreHalvedUntilTheyFit) {
  const Pieces pieces(10, 9, 3);
  EXPECT_EQ(pieces.at_once, 3);
  EXPECT_EQ(pieces.kept, (decltype(pieces.kept){{0, 3}, {3, 6}, {6, 9}, {9, 10}}));
  EXPECT_EQ(pieces.rooms_made, 2);
  EXPECT_EQ(Pieces(3, 64, 1).at_once, 1);
}

TEST(FittingPieces, OneThatDoesNotFitIsAnError) {
  EXPECT_THROW(Pieces(3, 2, 0), std::bad_alloc);
}

TEST(FittingPieces, OtherFailuresAndThoseOfKeepingAreThrownOn) {
  const auto nothing = [](std::int64_t, std::int64_t) {};
  EXPECT_THROW(
      run_with_memory_backoff(
          4, 4, "items", [](std::int64_t, std::int64_t) { throw std::runtime_error("another"); },
          nothing, [] {}),
      std::runtime_error);
  int kept = 0;
  EXPECT_THROW(run_with_memory_backoff(
                   4, 4, "items", nothing,
                   [&](std::int64_t, std::int64_t) {
                     ++kept;
                     throw std::bad_alloc();
                   },
                   [] {}),
               std::bad_alloc);
  EXPECT_EQ(kept, 1);
}

/// A denoiser that runs out of memory once: in its second evaluation of a bright picture.
constexpr const char* runs_out_once =
    "def forward(self, condition, x_t, noise_level):\n"
    "    if bool(condition.mean() > 0.4):\n"
    "        self.second.add_(1.0)\n"
    "        calls = float(self.second[0, 0, 0, 0])\n"
    "        if calls > 1.5 and calls < 2.5:\n"
    "            assert False, 'CUDA out of memory. Tried to allocate 2.00 GiB'\n"
    "    return 0.1 * x_t\n";

class MemoryTest : public ::testing::Test {
 protected:
  MemoryTest() { set_threads(2); }
  ~MemoryTest() override { set_threads(before_); }

  Upscaler make(TestModelOptions options) const {
    return Upscaler(Model::load(make_test_model(folder_.path() / "model", options)));
  }
  static at::Tensor picture(std::int64_t width, double value) {
    return at::full({1, 3, 16, width}, value);
  }

  TemporaryFolder folder_;
  int before_ = at::get_num_threads();
};

/// Upscales twice, running out of memory the first time only. Expects the same picture both times,
/// and a progress that never exceeds its total and ends at it.
void expect_the_same_without_memory(const Upscaler& upscaler, const at::Tensor& lr) {
  const UpscaleSettings settings = resolve_settings({.nfe = 3}, upscaler.model().manifest());
  UpscaleObserver observer;
  std::vector<std::int64_t> done;
  std::int64_t total = 0;
  observer.on_progress = [&](const UpscaleProgress& progress) {
    done.push_back(progress.calls_done);
    total = progress.calls_total;
  };
  testing::internal::CaptureStdout();
  const at::Tensor short_of_memory = upscaler.upscale(lr, settings, observer);
  EXPECT_NE(testing::internal::GetCapturedStdout().find("not enough memory for 2"),
            std::string::npos);
  EXPECT_EQ(done.back(), total);
  EXPECT_EQ(*std::max_element(done.begin(), done.end()), total);

  testing::internal::CaptureStdout();
  EXPECT_TRUE(at::equal(upscaler.upscale(lr, settings), short_of_memory));
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

TEST_F(MemoryTest, PicturesGoOneByOneWhereTwoAreTooMany) {
  const Upscaler upscaler = make({.denoiser_source = runs_out_once});
  expect_the_same_without_memory(upscaler, at::cat({picture(16, -0.5), picture(16, 0.5)}));
}

TEST_F(MemoryTest, TilesGoOneByOneWhereTwoAreTooMany) {
  const Upscaler upscaler = make({.denoiser_source = runs_out_once,
                                  .manifest_patch = R"({"tile": {"size": 16, "overlap": 8}})"});
  // Four tiles, of which the last one alone is bright.
  expect_the_same_without_memory(upscaler, at::cat({picture(20, -0.5), picture(20, 0.5)}, 3));
}

/// The message for a picture that memory does not hold.
std::string refusal(const Upscaler& upscaler, const at::Tensor& lr) {
  const UpscaleSettings settings = resolve_settings({.nfe = 1}, upscaler.model().manifest());
  return support::message_of<MemoryError>([&] { upscaler.upscale(lr, settings); });
}

TEST_F(MemoryTest, APictureThatDoesNotFitIsToldSo) {
  TestModelOptions options;
  options.regressor_source =
      "def forward(self, lr):\n"
      "    assert False, 'std::bad_alloc'\n";
  EXPECT_EQ(refusal(make(options), picture(24, 0.0)),
            "not enough memory to enlarge 24x16 pixels; take a smaller picture");
  options.manifest_patch = R"({"tile": {"size": 32, "overlap": 8}})";
  EXPECT_EQ(refusal(make(options), picture(24, 0.0)),
            "not enough memory to enlarge 24x16 pixels in one piece; take tiles, or a smaller "
            "picture");
  options.manifest_patch = R"({"tile": {"size": 16, "overlap": 8}})";
  EXPECT_EQ(refusal(make(options), picture(24, 0.0)),
            "not enough memory to enlarge 24x16 pixels in tiles of 16x16; take smaller ones, fewer "
            "threads or a smaller picture");
}

}  // namespace
}  // namespace srdiff
