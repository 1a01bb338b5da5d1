#include "cache_folder.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace {

/// Sets a variable; a null value removes it.
void set_variable(const char* name, const char* value) {
  if (value == nullptr) {
    ::unsetenv(name);
  } else {
    ::setenv(name, value, 1);
  }
}

std::filesystem::path file_with(const char* caches, const char* home) {
  set_variable("XDG_CACHE_HOME", caches);
  set_variable("HOME", home);
  return cache_file("x.json");
}

TEST(CacheFile, LiesWhereTheEnvironmentSays) {
  EXPECT_EQ(file_with("/caches", "/home/a"), "/caches/srdiff/x.json");
  EXPECT_EQ(file_with(nullptr, "/home/a"), "/home/a/.cache/srdiff/x.json");
  EXPECT_EQ(file_with("", "/home/a"), "/home/a/.cache/srdiff/x.json");
}

TEST(CacheFile, IsNowhereWithoutAnAbsolutePath) {
  EXPECT_EQ(file_with("relative", "/home/a"), "/home/a/.cache/srdiff/x.json");
  EXPECT_EQ(file_with(nullptr, nullptr), "");
  EXPECT_EQ(file_with("relative", "also/relative"), "");
}

}  // namespace
