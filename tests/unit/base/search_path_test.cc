#include "base/search_path.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

namespace srdiff {
namespace {

namespace fs = std::filesystem;

TEST(SearchPath, TheVariablesPlacesComeFirstAndEachOnce) {
  ::setenv("SRDIFF_SEARCH_PATH_TEST", "/first:/second::/first", 1);
  const std::vector<fs::path> places = search_places("SRDIFF_SEARCH_PATH_TEST", "models");
  ASSERT_GT(places.size(), 2U);
  EXPECT_EQ(places[0], "/first");
  EXPECT_EQ(places[1], "/second");
  const std::vector<fs::path> others(places.begin() + 2, places.end());
  EXPECT_EQ(others, data_places("models"));
  EXPECT_EQ(std::count(places.begin(), places.end(), "/first"), 1);
}

TEST(SearchPath, TheFirstPlaceWithTheFileIsFound) {
  const fs::path folder = fs::path(testing::TempDir()) / "srdiff-search-path";
  fs::create_directories(folder / "b/model");
  fs::create_directories(folder / "c/model");
  fs::create_directories(folder / "a/model/file");  // a folder is no file
  std::ofstream(folder / "b/model/file") << "b";
  std::ofstream(folder / "c/model/file") << "c";
  EXPECT_EQ(first_place_with({folder / "a", folder / "b", folder / "c"}, "model/file"),
            folder / "b");
  EXPECT_EQ(first_place_with({folder / "a"}, "model/file"), fs::path());
  fs::remove_all(folder);
}

}  // namespace
}  // namespace srdiff
