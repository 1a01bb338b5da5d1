#include "base/file_io.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "base/atomic_file.h"
#include "base/known_digests.h"
#include "srdiff/error.h"
#include "support/message_of.h"
#include "support/temporary_folder.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;

std::size_t entries(const fs::path& folder) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(FileBytes, WhatIsWrittenIsReadBack) {
  const support::TemporaryFolder folder;
  const std::string bytes("\0a\n\xff", 4);
  write_file_atomically(folder.path() / "x", bytes);
  EXPECT_EQ(read_file(folder.path() / "x"), bytes);
  EXPECT_EQ(entries(folder.path()), 1U);
}

TEST(FileBytes, ALargeFileHoldsItsBytesUntilItGoes) {
  const support::TemporaryFolder folder;
  const std::string bytes(100000, 'x');
  write_file_atomically(folder.path() / "x", bytes);
  LargeFile mapped(folder.path() / "x");
  EXPECT_EQ(mapped.bytes(), bytes);
  const LargeFile moved = std::move(mapped);
  fs::remove(folder.path() / "x");
  EXPECT_EQ(moved.bytes(), bytes);
  // Another program cuts it, and writes into it: what was read stays.
  write_file_atomically(folder.path() / "x", bytes);
  const LargeFile cut(folder.path() / "x");
  fs::resize_file(folder.path() / "x", 10);
  EXPECT_EQ(cut.bytes(), bytes);
  EXPECT_THROW(LargeFile(folder.path() / "x", 9), InputError);
  std::ofstream(folder.path() / "empty").flush();
  EXPECT_EQ(LargeFile(folder.path() / "empty").bytes(), "");
  EXPECT_THROW(LargeFile(folder.path() / "missing"), InputError);
  EXPECT_THROW(LargeFile(folder.path()), InputError);
}

TEST(FileBytes, AFileThatIsReplacedOrWrittenToHasAnotherIdentity) {
  const support::TemporaryFolder folder;
  const fs::path path = folder.path() / "x";
  EXPECT_EQ(file_identity(path), "");
  write_file_atomically(path, "one");
  const std::string first = file_identity(path);
  EXPECT_EQ(first, file_identity(path));
  EXPECT_EQ(first, LargeFile(path).identity());
  write_file_atomically(folder.path() / "y", "one");
  EXPECT_NE(first, file_identity(folder.path() / "y"));
  fs::rename(folder.path() / "y", path);
  const std::string second = file_identity(path);
  EXPECT_NE(first, second);
  std::ofstream(path, std::ios::app) << "more";
  EXPECT_NE(second, file_identity(path));
}

TEST(FileBytes, ReplacesAFileWhole) {
  const support::TemporaryFolder folder;
  write_file_atomically(folder.path() / "x", "a long first content");
  write_file_atomically(folder.path() / "x", "short");
  EXPECT_EQ(read_file(folder.path() / "x"), "short");
}

TEST(FileBytes, AFailedWriteLeavesTheFolderAsItWas) {
  const support::TemporaryFolder folder;
  fs::create_directory(folder.path() / "target");
  EXPECT_THROW(write_file_atomically(folder.path() / "target", "x"), InputError);
  EXPECT_THROW(write_file_atomically(folder.path() / "missing/x", "x"), InputError);
  EXPECT_EQ(entries(folder.path()), 1U);
}

TEST(FileBytes, GivesANewFileTheUsualRights) {
  const support::TemporaryFolder folder;
  const mode_t mask = ::umask(0022);
  write_file_atomically(folder.path() / "x", "x");
  ::umask(mask);
  struct stat status {};
  ASSERT_EQ(::stat((folder.path() / "x").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0644U);
}

TEST(FileBytes, RemovesTheTemporaryFilesOfTheDeadAndNoOthers) {
  const support::TemporaryFolder folder;
  std::ofstream(folder.path() / ".srdiff-tmp-0123456789abcdef") << "left by a kill";
  for (const char* of_the_user : {".srdiff.journal", ".srdiff-backup",
                                  ".srdiff-tmp-0123456789abcde", ".srdiff-tmp-0123456789ABCDEF"}) {
    std::ofstream(folder.path() / of_the_user) << "no temporary file";
  }
  AtomicFile living(folder.path() / "x");
  living.write("x");
  remove_stale_temporary_files(folder.path());
  EXPECT_FALSE(fs::exists(folder.path() / ".srdiff-tmp-0123456789abcdef"));
  EXPECT_EQ(entries(folder.path()), 5U);
  living.rename_to_target();
  EXPECT_EQ(read_file(folder.path() / "x"), "x");
}

TEST(FileBytes, DoesNotReplaceADevice) {
  EXPECT_THROW(write_file_atomically("/dev/null", "x"), InputError);
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

std::string why_unreadable(const fs::path& path, std::int64_t max_bytes = 1000) {
  return support::message_of<InputError>([&] { read_file(path, max_bytes); });
}

TEST(FileBytes, SaysWhyAFileCannotBeRead) {
  const support::TemporaryFolder folder;
  EXPECT_NE(why_unreadable(folder.path() / "x").find("no such file"), std::string::npos);
  EXPECT_NE(why_unreadable(folder.path()).find("is a folder"), std::string::npos);
  EXPECT_NE(why_unreadable("/dev/null").find("not a regular file"), std::string::npos);
  EXPECT_NE(why_unreadable("/dev/zero").find("not a regular file"), std::string::npos);
  fs::create_symlink("loop", folder.path() / "loop");
  EXPECT_NE(why_unreadable(folder.path() / "loop").find("symbolic links"), std::string::npos);
}

TEST(FileBytes, DoesNotWaitForAPipeOrASocket) {
  const support::TemporaryFolder folder;
  const fs::path pipe = folder.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_NE(why_unreadable(pipe).find("not a regular file"), std::string::npos);
  const fs::path socket = folder.path() / "socket";
  ASSERT_EQ(::mknod(socket.c_str(), S_IFSOCK | 0600, 0), 0);
  EXPECT_NE(why_unreadable(socket).find("not a regular file"), std::string::npos);
}

TEST(FileBytes, ReadsNoMoreThanIsAllowed) {
  const support::TemporaryFolder folder;
  write_file_atomically(folder.path() / "x", "12345");
  EXPECT_EQ(read_file(folder.path() / "x", 5), "12345");
  EXPECT_NE(why_unreadable(folder.path() / "x", 4).find("larger than the 4 bytes"),
            std::string::npos);
}

}  // namespace
}  // namespace srdiff
