#include "pipeline/setting_list.h"

#include <gtest/gtest.h>

#include <set>

#include "pipeline/settings_json.h"
#include "support/temporary_folder.h"
#include "support/test_model.h"

namespace srdiff {
namespace {

using support::make_test_model;
using support::TemporaryFolder;
using support::TestModelOptions;

UpscaleOptions every_option() {
  UpscaleOptions options;
  options.start = Start::sr;
  options.weight_map = false;
  options.t = 200;
  options.beta = 0.25;
  options.sampler = SamplerKind::dpmpp;
  options.nfe = 5;
  options.guidance = 1.5;
  options.eta = 0.5;
  options.grid = GridSpacing::logsnr;
  options.seed = 18446744073709551615U;
  options.color_fix = ColorFix::consistency;
  options.scale = 3.0;
  options.tile = 32;
  options.tile_overlap = 8;
  options.batch = 3;
  return options;
}

class SettingListTest : public ::testing::Test {
 protected:
  SettingListTest() {
    TestModelOptions options;
    options.manifest_patch = R"({"tile": {"size": 16, "overlap": 8}})";
    manifest_ = read_manifest(make_test_model(folder_.path() / "model", options));
  }

  TemporaryFolder folder_;
  Manifest manifest_;
};

TEST_F(SettingListTest, NamesEachSettingOnce) {
  std::set<std::string> names;
  for_each_setting(
      [&](const auto& setting) { EXPECT_TRUE(names.insert(setting.name).second) << setting.name; });
  EXPECT_EQ(names.size(), 20U);
}

TEST_F(SettingListTest, TheWordsOfASettingAreThoseThatAreParsed) {
  UpscaleSettings settings;
  std::size_t words = 0;
  for_each_setting([&](const auto& setting) {
    using Value = std::decay_t<decltype(setting.value(settings))>;
    if constexpr (std::is_enum_v<Value>) {
      for (const std::string& word : words_of<Value>()) {
        EXPECT_EQ(to_string(parse_word<Value>(word)), word);
        ++words;
      }
    }
  });
  EXPECT_EQ(words, 12U);
}

// Journals, and the metadata of pictures, are compared with those of earlier versions.
TEST_F(SettingListTest, TheJournalsJsonStaysAsItWas) {
  EXPECT_EQ(settings_json(resolve_settings(every_option(), manifest_)),
            R"({"start":"sr","weight_map":false,"t":200,"beta":0.25,"sampler":"dpmpp","nfe":5,)"
            R"("guidance":1.5,"eta":0.5,"grid":"logsnr","seed":18446744073709551615,"scale":3.0,)"
            R"("color_fix":"consistency","tile":{"size":32,"overlap":8}})");
  UpscaleOptions fitted = every_option();
  fitted.tile.reset();
  EXPECT_EQ(settings_json(resolve_settings(fitted, manifest_)),
            R"({"start":"sr","weight_map":false,"t":200,"beta":0.25,"sampler":"dpmpp","nfe":5,)"
            R"("guidance":1.5,"eta":0.5,"grid":"logsnr","seed":18446744073709551615,"scale":3.0,)"
            R"("color_fix":"consistency","tile":{"pixels":256,"overlap":8}})");
}

TEST_F(SettingListTest, GoldenFilesAndSweepsReadWhatTheyWrite) {
  const nlohmann::ordered_json written = options_json(every_option());
  EXPECT_EQ(
      written.dump(),
      R"({"start":"sr","weight_map":false,"t":200,"beta":0.25,"sampler":"dpmpp","nfe":5,)"
      R"("guidance":1.5,"eta":0.5,"grid":"logsnr","seed":18446744073709551615,"color_fix":"consistency",)"
      R"("tile":32,"tile_overlap":8})");
  UpscaleOptions read;
  override_options(JsonFields(written, "test"), read);
  EXPECT_EQ(options_json(read), written);
  EXPECT_EQ(options_json({}).dump(), R"({"start":"predicted","weight_map":true,"seed":0})");
}

TEST_F(SettingListTest, SettledOptionsGiveTheSameSettings) {
  for (UpscaleOptions options : {UpscaleOptions{}, every_option()}) {
    options.scale.reset();
    const UpscaleSettings settings = resolve_settings(options, manifest_);
    const UpscaleOptions settled = settled_options(settings);
    EXPECT_EQ(settings_json(resolve_settings(settled, manifest_)), settings_json(settings));
    EXPECT_TRUE(settled.t && settled.sampler && settled.color_fix);
    EXPECT_EQ(settled.tile, options.tile);
    EXPECT_FALSE(settled.batch || settled.scale);
  }
  manifest_.detail = {{1.0, 500, 0.5, 5}};
  const UpscaleSettings half = resolve_settings({.detail = 0.5}, manifest_);
  EXPECT_FALSE(settled_options(half).detail);
  EXPECT_EQ(settings_json(resolve_settings(settled_options(half), manifest_)), settings_json(half));
  const UpscaleSettings untiled = resolve_settings({.tile = 0}, manifest_);
  EXPECT_FALSE(settled_options(untiled).tile_overlap.has_value());
}

TEST_F(SettingListTest, GuidanceIsTheModelsForTheRunThatItRecommends) {
  manifest_.defaults.guidance = 1.5;
  manifest_.detail = {{0.5, 100, 0.5, 2, 2.0}, {1.0, 500, 0.5, 4, 3.0}};
  const int t = manifest_.defaults.t;
  const int nfe = manifest_.defaults.nfe;
  const auto guidance = [&](const UpscaleOptions& options) {
    return resolve_settings(options, manifest_).guidance;
  };
  EXPECT_EQ(guidance({}), 1.5);
  EXPECT_EQ(guidance({.t = t, .beta = 0.1, .nfe = nfe}), 1.5);
  EXPECT_EQ(guidance({.start = Start::sr, .grid = GridSpacing::logsnr}), 1.5);
  EXPECT_EQ(guidance({.t = t - 1}), 1.0);
  EXPECT_EQ(guidance({.nfe = nfe + 1}), 1.0);
  EXPECT_EQ(guidance({.sampler = SamplerKind::dpmpp}), 1.0);
  EXPECT_EQ(guidance({.start = Start::noise}), 1.0);
  EXPECT_EQ(guidance({.t = 0}), 1.0);
  EXPECT_EQ(guidance({.nfe = nfe + 1, .guidance = 2.5}), 2.5);
  EXPECT_EQ(guidance({.detail = 0.25}), 2.0);
  EXPECT_EQ(guidance({.detail = 0.75}), 2.5);
  EXPECT_EQ(guidance({.detail = 0.75, .nfe = 7}), 1.0);
  EXPECT_EQ(guidance({.detail = 0.0}), 1.0);
  EXPECT_THROW(guidance({.guidance = 8.5}), UsageError);
}

TEST_F(SettingListTest, GuidanceNeedsXSr) {
  const UpscaleOptions from_noise = {.start = Start::noise, .weight_map = false, .guidance = 2.0};
  EXPECT_TRUE(needs_regressor(resolve_settings(from_noise, manifest_), manifest_));
  manifest_.regressor.reset();
  EXPECT_THROW(resolve_settings(from_noise, manifest_), UsageError);
}

}  // namespace
}  // namespace srdiff
