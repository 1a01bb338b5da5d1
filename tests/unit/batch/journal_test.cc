#include "batch/journal.h"

#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <future>
#include <thread>

#include "base/file_io.h"
#include "srdiff/error.h"
#include "support/expect.h"
#include "support/temporary_folder.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;

JournalEntry entry(const std::string& text) {
  return {"in-" + text, "run-" + text, "out-" + text, text.size()};
}

class JournalTest : public ::testing::Test {
 protected:
  fs::path out() const { return folder_.path(); }
  std::string text(const std::string& name = ".srdiff.journal") const {
    return read_file(out() / name);
  }

  support::TemporaryFolder folder_;
};

TEST_F(JournalTest, RemembersWhatWasAppended) {
  {
    Journal journal(out(), {});
    journal.append("b.png", entry("b"));
    journal.append("a\n\xff.png", entry("a"));
  }
  const Journal journal(out(), {});
  ASSERT_TRUE(journal.find("a\n\xff.png"));
  EXPECT_EQ(journal.find("a\n\xff.png")->output_sha256, "out-a");
  EXPECT_EQ(journal.find("b.png")->output_size, 1U);
  EXPECT_FALSE(journal.find("c.png"));
}

TEST_F(JournalTest, ALineWithASizeThatIsNoneIsPassedOver) {
  for (const char* size : {"18446744907073551615", "1e300", "-1", "1.5", "true", "null"}) {
    std::ofstream(out() / ".srdiff.journal", std::ios::binary)
        << R"({"output":"a","input_sha256":"i","run_sha256":"r","output_sha256":"o","output_size":)"
        << size << "}\n";
    EXPECT_FALSE(Journal(out(), {}).find("a")) << size;
  }
}

TEST_F(JournalTest, TheOrderOfAppendingDoesNotShowInTheEnd) {
  {
    Journal journal(out(), {});
    journal.append("b", entry("1"));
    journal.append("b", entry("2"));
    journal.append("a", entry("3"));
    journal.rewrite();
  }
  const std::string first = text();
  fs::remove(out() / ".srdiff.journal");
  Journal journal(out(), {});
  journal.append("a", entry("3"));
  journal.append("b", entry("2"));
  journal.rewrite();
  EXPECT_EQ(text(), first);
  journal.append("c", entry("4"));  // into the new file
  EXPECT_EQ(text().rfind(first, 0), 0U);
  EXPECT_GT(text().size(), first.size());
}

TEST_F(JournalTest, ATornLastLineIsLeftOut) {
  {
    Journal journal(out(), {});
    journal.append("a", entry("a"));
    journal.append("b", entry("b"));
  }
  const std::string whole = text();
  const std::size_t last_line = whole.rfind('\n', whole.size() - 2) + 1;
  for (std::size_t size = last_line; size < whole.size(); ++size) {
    std::ofstream(out() / ".srdiff.journal", std::ios::binary) << whole.substr(0, size);
    Journal journal(out(), {});
    EXPECT_TRUE(journal.find("a")) << size;
    EXPECT_FALSE(journal.find("b")) << size;
    journal.append("b", entry("b"));
    EXPECT_EQ(text(), whole);
  }
}

TEST_F(JournalTest, ForgetsWhatIsMadeAnew) {
  {
    Journal journal(out(), {});
    journal.append("a", entry("a"));
    journal.append("b", entry("b"));
  }
  const Journal journal(out(), {}, {"b"});
  EXPECT_TRUE(journal.find("a"));
  EXPECT_FALSE(journal.find("b"));
}

TEST_F(JournalTest, TwoRunsOfOneShardRefuseEachOther) {
  Journal journal(out(), {1, 2});
  EXPECT_THROW(Journal(out(), {1, 2}), UsageError);
  journal.rewrite();
  EXPECT_THROW(Journal(out(), {1, 2}), UsageError);
  EXPECT_NO_THROW(Journal(out(), {2, 2}));
}

TEST_F(JournalTest, ReadsOtherShards) {
  {
    Journal journal(out(), {1, 2});
    journal.append("a", entry("a"));
  }
  Journal journal(out(), {});
  EXPECT_FALSE(journal.find("a"));
  journal.read_others();
  ASSERT_TRUE(journal.find("a"));
  journal.keep("a", *journal.find("a"));
  journal.rewrite();
  EXPECT_NE(text().find("out-a"), std::string::npos);
}

TEST_F(JournalTest, OtherShardsMayBeWriting) {
  std::atomic<bool> enough = false;
  std::promise<void> begun;
  std::thread other([&] {
    Journal journal(out(), {1, 2});
    journal.append("first", entry("a"));
    begun.set_value();
    std::ofstream more(out() / ".srdiff.journal.1-of-2", std::ios::app);
    // Without the flush to the disk, which makes such moments rare.
    for (int i = 0; i < 20000 && !enough; ++i) {
      more << "a line\n" << std::flush;
    }
  });
  begun.get_future().wait();
  Journal journal(out(), {2, 2});
  for (int i = 0; i < 20; ++i) {
    EXPECT_NO_THROW(journal.read_others());
  }
  enough = true;
  other.join();
  EXPECT_TRUE(journal.find("first"));
}

TEST_F(JournalTest, WhatIsNoJournalButCalledOneIsLeftOut) {
  fs::create_directory(out() / ".srdiff.journal.old");
  {
    Journal journal(out(), {1, 2});
    journal.append("a", entry("a"));
  }
  Journal journal(out(), {});
  journal.read_others();
  EXPECT_TRUE(journal.find("a"));
}

TEST_F(JournalTest, AFolderThatIsNoneIsNamed) {
  const fs::path missing = out() / "missing";
  EXPECT_EQ(support::message_of<InputError>([&] { Journal(missing, {}); }),
            missing.string() + ": cannot be written: No such file or directory");
}

}  // namespace
}  // namespace srdiff
