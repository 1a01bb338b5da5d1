#pragma once

#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include "engine/cpu/blocked_layout.h"

namespace srdiff::support {

/// For kernels on images in blocks of channels; skips where the processor has no such blocks.
class BlocksFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    if (cpu::channel_block() == 0) {
      GTEST_SKIP() << "a processor without AVX2";
    }
  }

  const c10::InferenceMode no_gradients_;
};

}  // namespace srdiff::support
