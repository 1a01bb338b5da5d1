#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "support/message_of.h"

namespace srdiff::support {

/// The same shape, and no value further from the expected one than `most`.
inline void expect_close(const at::Tensor& measured, const at::Tensor& expected, double most) {
  ASSERT_EQ(measured.sizes(), expected.sizes());
  EXPECT_LT((measured - expected).abs().max().item<double>(), most);
}

}  // namespace srdiff::support
