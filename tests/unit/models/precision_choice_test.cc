#include "models/precision_choice.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/file_io.h"
#include "support/temporary_folder.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;

/// Two works on a clock that only they move: each call takes the next of its times.
class TimedWorks {
 public:
  TimedWorks(std::vector<double> candidate, std::vector<double> usual)
      : candidate_{std::move(candidate)}, usual_{std::move(usual)} {}

  double share() {
    return share_of_time([this] { candidate_.run(clock_); }, [this] { usual_.run(clock_); },
                         [this] { return clock_; });
  }
  std::size_t calls() const { return candidate_.calls + usual_.calls; }

 private:
  struct Work {
    std::vector<double> seconds;
    std::size_t calls = 0;
    void run(double& clock) { clock += seconds.at(calls++); }
  };
  Work candidate_;
  Work usual_;
  double clock_ = 0.0;
};

TEST(ShareOfTime, IsOfTheShortestTimesAfterAFirstCallOfEach) {
  TimedWorks works({9, 2.0, 1.0, 1.5, 1.1, 1.2}, {0.01, 1.2, 1.1, 1.9, 1.3, 1.25});
  EXPECT_DOUBLE_EQ(works.share(), 1.0 / 1.1);
  EXPECT_EQ(works.calls(), 12U);
}

TEST(ShareOfTime, EndsEarlyWhereTheTimesLieFarApart) {
  TimedWorks slower({1, 2, 2}, {1, 1, 1});
  EXPECT_DOUBLE_EQ(slower.share(), 2.0);
  EXPECT_EQ(slower.calls(), 6U);
  TimedWorks faster({1, 1, 1}, {1, 2, 2});
  EXPECT_DOUBLE_EQ(faster.share(), 0.5);
}

TEST(ShareOfTime, OfNoTimeAtAllIsOne) {
  TimedWorks works(std::vector<double>(6, 0.0), std::vector<double>(6, 0.0));
  EXPECT_EQ(works.share(), 1.0);
}

class PrecisionChoicesTest : public ::testing::Test {
 protected:
  fs::path file() const { return folder_.path() / "cache" / "srdiff" / "precision.json"; }
  support::TemporaryFolder folder_;
};

TEST_F(PrecisionChoicesTest, AreKeptForTheNextRun) {
  PrecisionChoices first(file());
  EXPECT_FALSE(first.find("here"));
  first.remember("here", c10::kBFloat16);
  EXPECT_EQ(first.find("here"), c10::kBFloat16);
  PrecisionChoices second(file());
  EXPECT_EQ(second.find("here"), c10::kBFloat16);
  EXPECT_FALSE(second.find("there"));
  // What another run has added meanwhile stays.
  first.remember("there", c10::kFloat);
  second.remember("elsewhere", c10::kFloat);
  const PrecisionChoices third(file());
  EXPECT_EQ(third.find("there"), c10::kFloat);
  EXPECT_EQ(third.find("elsewhere"), c10::kFloat);
}

TEST_F(PrecisionChoicesTest, AFileOfAnythingElseKnowsNothingAndIsReplaced) {
  fs::create_directories(file().parent_path());
  for (const char* text : {"", "[1]", "{\"here\": 1}", "{\"here\": \"double\"}", "\xff", "{"}) {
    std::ofstream(file(), std::ios::binary) << text;
    PrecisionChoices choices(file());
    EXPECT_FALSE(choices.find("here")) << text;
    choices.remember("here", c10::kFloat);
    EXPECT_EQ(PrecisionChoices(file()).find("here"), c10::kFloat) << text;
  }
}

TEST_F(PrecisionChoicesTest, DoNotGrowWithoutEnd) {
  fs::create_directories(file().parent_path());
  {
    std::ofstream text(file());
    text << "{";
    for (int i = 0; i < 300; ++i) {
      text << "\"build " << i << "\": \"bf16\", ";
    }
    text << "\"last\": \"bf16\"}";
  }
  PrecisionChoices(file()).remember("here", c10::kFloat);
  const PrecisionChoices choices(file());
  EXPECT_EQ(choices.find("here"), c10::kFloat);
  EXPECT_FALSE(choices.find("last"));
}

TEST_F(PrecisionChoicesTest, AFileThatCannotBeWrittenOrReadIsNoFailure) {
  PrecisionChoices nowhere((fs::path()));
  nowhere.remember("here", c10::kFloat);
  EXPECT_EQ(nowhere.find("here"), c10::kFloat);
  const fs::path below_a_file = folder_.path() / "plain" / "precision.json";
  std::ofstream(folder_.path() / "plain") << "text";
  PrecisionChoices impossible(below_a_file);
  impossible.remember("here", c10::kFloat);
  EXPECT_FALSE(PrecisionChoices(below_a_file).find("here"));
  fs::create_directories(file());  // a folder of that name
  EXPECT_FALSE(PrecisionChoices(file()).find("here"));
}

}  // namespace
}  // namespace srdiff
