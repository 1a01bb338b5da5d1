#pragma once

#include <gtest/gtest.h>

#include <string>

// Without LibTorch: tests of the room base are not linked to it, and PyPI's has its headers
// elsewhere.
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

}  // namespace srdiff::support
