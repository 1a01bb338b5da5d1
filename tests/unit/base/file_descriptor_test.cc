#include "base/file_descriptor.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <utility>

namespace srdiff {
namespace {

bool is_open(int number) {
  return ::fcntl(number, F_GETFD) >= 0;
}

FileDescriptor opened() {
  return FileDescriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

TEST(FileDescriptor, IsClosedOnceByItsLastOwner) {
  int number = -1;
  {
    FileDescriptor first = opened();
    number = first.number();
    FileDescriptor second = std::move(first);
    EXPECT_FALSE(first.is_open());  // NOLINT(bugprone-use-after-move)
    EXPECT_EQ(second.number(), number);
    EXPECT_TRUE(is_open(number));
  }
  EXPECT_FALSE(is_open(number));
}

TEST(FileDescriptor, AnAssignmentClosesWhatWasOpen) {
  FileDescriptor file = opened();
  const int before = file.number();
  FileDescriptor other = opened();
  const int after = other.number();
  file = std::move(other);
  EXPECT_FALSE(is_open(before));
  EXPECT_EQ(file.number(), after);
}

}  // namespace
}  // namespace srdiff
