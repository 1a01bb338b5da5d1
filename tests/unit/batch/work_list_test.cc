#include "batch/work_list.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <map>

#include "batch/journal.h"
#include "srdiff/error.h"
#include "support/expect.h"
#include "support/temporary_folder.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

class WorkListTest : public ::testing::Test {
 protected:
  WorkListTest() { fs::create_directory(in_); }

  void make(const std::string& name) const {
    fs::create_directories((in_ / name).parent_path());
    std::ofstream(in_ / name) << name;
  }

  WorkList list(const WorkListOptions& options = {}) const {
    return list_folder(in_, out_, options);
  }

  static Strings names(const WorkList& work) {
    Strings result;
    for (const WorkItem& item : work.items) {
      result.push_back(item.name.native());
    }
    return result;
  }

  Strings outputs(const WorkListOptions& options) const {
    Strings result;
    for (const WorkItem& item : list(options).items) {
      result.push_back(item.output.native());
    }
    return result;
  }

  support::TemporaryFolder folder_;
  fs::path in_ = folder_.path() / "in";
  fs::path out_ = folder_.path() / "out";
};

TEST_F(WorkListTest, TakesPicturesInTheOrderOfTheirBytes) {
  for (const char* name :
       {"b.png", "B.JPG", "a.webp", "note.txt", ".hidden.png", "c.bmp",
        ".srdiff-tmp-0123456789abcdef", "below/a.png", "\xff.png", "line\nend.tif"}) {
    make(name);
  }
  EXPECT_EQ(names(list()),
            (Strings{"B.JPG", "a.webp", "b.png", "c.bmp", "line\nend.tif", "\xff.png"}));
  EXPECT_EQ(names(list({.recursive = true})).at(2), "b.png");
  EXPECT_EQ(names(list({.recursive = true})).at(3), "below/a.png");
}

TEST_F(WorkListTest, PatternsChoose) {
  for (const char* name :
       {"a.png", "a.raw", "b.raw", ".c.raw", "x/a.raw", "x/y/a.raw", "z/a.raw"}) {
    make(name);
  }
  const auto found = [&](const Strings& globs, const Strings& excludes) {
    return names(list({.recursive = true, .globs = globs, .excludes = excludes}));
  };
  EXPECT_EQ(found({"*.raw"}, {"b*"}), (Strings{"a.raw", "x/a.raw", "x/y/a.raw", "z/a.raw"}));
  EXPECT_EQ(found({"x/*.raw"}, {}), (Strings{"x/a.raw"}));
  EXPECT_EQ(found({"*.raw"}, {"x", "*.png"}), (Strings{"a.raw", "b.raw", "z/a.raw"}));
  EXPECT_EQ(found({"*.raw"}, {"x/y"}), (Strings{"a.raw", "b.raw", "x/a.raw", "z/a.raw"}));
  EXPECT_EQ(found({".*"}, {}), (Strings{".c.raw"}));
}

TEST_F(WorkListTest, LinksToFoldersAreNotEnteredAndPipesAreKept) {
  make("below/a.png");
  fs::create_directory_symlink(in_, in_ / "below/round");
  fs::create_symlink("turn.png", in_ / "turn.png");
  fs::create_symlink("below/a.png", in_ / "link.png");
  ASSERT_EQ(::mkfifo((in_ / "pipe.png").c_str(), 0600), 0);
  EXPECT_EQ(names(list({.recursive = true})),
            (Strings{"below/a.png", "link.png", "pipe.png", "turn.png"}));
}

TEST_F(WorkListTest, TheOutputFolderInsideTheInputIsLeftOut) {
  make("a.png");
  make("results/a.png");
  make("results/more/a.png");
  make("other/a.png");
  const WorkList work = list_folder(in_, in_ / "results", {.recursive = true});
  EXPECT_EQ(names(work), (Strings{"a.png", "other/a.png"}));
  EXPECT_THROW(list_folder(in_, folder_.path() / "in/../in", {}), UsageError);
}

TEST_F(WorkListTest, AFolderThatCannotBeListedIsNamed) {
  if (::geteuid() == 0) {
    GTEST_SKIP() << "root reads every folder";
  }
  make("closed/a.png");
  ::chmod((in_ / "closed").c_str(), 0);
  const WorkList work = list({.recursive = true});
  ::chmod((in_ / "closed").c_str(), 0700);
  ASSERT_EQ(work.unlisted.size(), 1U);
  EXPECT_EQ(work.unlisted[0].folder, "closed");
}

TEST_F(WorkListTest, FilesThatAreLeftOutForTheirEndingsAreCounted) {
  for (const char* name : {"a.png", "b.svg", "below/c.raw", ".hidden.txt", "x/d.raw"}) {
    make(name);
  }
  EXPECT_EQ(list().left_out, 1U);
  EXPECT_EQ(list({.recursive = true, .excludes = {"x"}}).left_out, 2U);
  EXPECT_EQ(list({.recursive = true, .globs = {"*.raw"}}).left_out, 0U);
}

TEST_F(WorkListTest, TakesFilesFromAnywhere) {
  const WorkListOptions options = {.format = "webp", .suffix = "_x"};
  const WorkList work = list_files({in_ / "b.png", "a.jpg", "a.jpg"}, out_, options);
  EXPECT_EQ(names(work), (Strings{(in_ / "b.png").string(), "a.jpg"}));
  EXPECT_EQ(work.items.at(0).output, "b_x.webp");
  EXPECT_EQ(work.items.at(1).output, "a_x.webp");
  EXPECT_EQ(work.input_folder / work.items.at(1).name, "a.jpg");
  EXPECT_THROW(list_files({"x/a.png", "y/a.png"}, out_, {}), UsageError);
}

TEST_F(WorkListTest, NamesItsOutputs) {
  make("a.JPG");
  make("sub/b.c.png");
  make("d");
  EXPECT_EQ(outputs({.recursive = true}), (Strings{"a.JPG", "sub/b.c.png"}));
  EXPECT_EQ(outputs({.recursive = true, .format = "webp", .suffix = "_x8"}),
            (Strings{"a_x8.webp", "sub/b.c_x8.webp"}));
  EXPECT_EQ(outputs({.globs = {"d"}}), (Strings{"d.png"}));
  EXPECT_THROW(list({.format = "gif"}), UsageError);
  EXPECT_THROW(list({.suffix = "/x"}), UsageError);
}

TEST_F(WorkListTest, TwoInputsForOneOutputAreRefused) {
  make("a.png");
  make("a.jpg");
  EXPECT_EQ(list().items.size(), 2U);
  const std::string message = support::message_of<UsageError>([&] { list({.format = "png"}); });
  EXPECT_NE(message.find("a.jpg and a.png: both"), std::string::npos) << message;
}

TEST_F(WorkListTest, AnOutputWhereAnotherNeedsAFolderIsRefused) {
  make("a.jpg");
  make("a.png/b.jpg");
  EXPECT_THROW(list({.recursive = true, .format = "png"}), UsageError);
}

TEST_F(WorkListTest, ShardsAreDisjointStableAndWhole) {
  for (int i = 0; i < 60; ++i) {
    make(std::to_string(i) + ".png");
  }
  std::map<std::string, int> times;
  std::size_t largest = 0;
  for (int index = 1; index <= 4; ++index) {
    const WorkList work = list({.shard = {index, 4}});
    const Strings part = names(work);
    EXPECT_EQ(part.size() + work.elsewhere.size(), 60U);  // by which all shards choose one model
    largest = std::max(largest, part.size());
    for (const std::string& name : part) {
      times[name] += 1;
    }
  }
  EXPECT_EQ(times.size(), 60U);
  EXPECT_LT(largest, 30U);
  for (const auto& [name, count] : times) {
    EXPECT_EQ(count, 1) << name;
  }
  // The hash decides for ever: runs of two versions may share a folder.
  EXPECT_TRUE(accepts({2, 3}, "7.png"));
  EXPECT_TRUE(accepts({1, 4}, "a/b.png"));
}

TEST(Shard, IsParsed) {
  EXPECT_EQ(parse_shard("2/5").index, 2);
  EXPECT_EQ(parse_shard("2/5").count, 5);
  for (const char* wrong : {"", "2", "0/4", "5/4", "1/0", "a/b", "1/", "/2", "1/2x", "-1/2"}) {
    EXPECT_THROW(parse_shard(wrong), UsageError) << wrong;
  }
}

TEST_F(WorkListTest, TakesListedNames) {
  make("a.png");
  make("sub/b.raw");
  const auto listed = [&](const Strings& given) { return names(list_names(in_, given, out_, {})); };
  EXPECT_EQ(listed({"sub/b.raw", "./a.png", "a.png", "sub/../gone.png"}),
            (Strings{"a.png", "gone.png", "sub/b.raw"}));
  EXPECT_EQ(listed({(in_ / "a.png").string()}), (Strings{"a.png"}));
  const std::filesystem::path link = in_.parent_path() / "link";
  std::filesystem::create_directory_symlink(in_, link);
  EXPECT_EQ(listed({(link / "a.png").string()}), (Strings{"a.png"}));
  EXPECT_THROW(listed({"../a.png"}), UsageError);
  EXPECT_THROW(listed({"/etc/passwd"}), UsageError);
  EXPECT_THROW(listed({"."}), UsageError);
}

TEST_F(WorkListTest, ExistingOutputsAreRefusedOrResumedByAJournal) {
  make("a.png");
  make("b.png");
  const WorkList work = list();
  EXPECT_NO_THROW(check_outputs(work, Existing::refuse));
  fs::create_directory(out_);
  std::ofstream(out_ / "a.png") << "before";
  EXPECT_THROW(check_outputs(work, Existing::refuse), UsageError);
  EXPECT_THROW(check_outputs(work, Existing::resume), UsageError);
  EXPECT_NO_THROW(check_outputs(work, Existing::overwrite));
  { const Journal journal(out_, {}); }
  EXPECT_NO_THROW(check_outputs(work, Existing::resume));
}

TEST_F(WorkListTest, AnOutputThatIsAnInputIsRefused) {
  make("a.png");
  fs::create_directory(out_);
  fs::create_hard_link(in_ / "a.png", out_ / "a.png");
  EXPECT_THROW(check_outputs(list(), Existing::overwrite), UsageError);
}

}  // namespace
}  // namespace srdiff
