#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <string>

namespace srdiff::support {

/// What the Error that `call` throws says. The test fails when it throws none.
template <typename Error, typename Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

/// The same shape, and no value further from the expected one than `most`.
inline void expect_close(const at::Tensor& measured, const at::Tensor& expected, double most) {
  ASSERT_EQ(measured.sizes(), expected.sizes());
  EXPECT_LT((measured - expected).abs().max().item<double>(), most);
}

}  // namespace srdiff::support
