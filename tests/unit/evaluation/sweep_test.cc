#include "evaluation/sweep.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/file_io.h"
#include "srdiff/error.h"
#include "srdiff/image_io.h"
#include "support/temporary_folder.h"
#include "support/test_model.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;

const char* const plan_text = R"({
  "name": "small", "title": "A small table", "model": "tiny",
  "settings": {"t": 20, "sampler": "ddim", "beta": 0.3},
  "figures": ["fid", "psnr", "sharpness"],
  "rows": [{"label": "map", "settings": {"weight_map": true}},
           {"label": "none", "settings": {"weight_map": false, "nfe": 5}}],
  "columns": {"label": "NFE", "values": [{"label": "default"},
                                         {"label": "2", "settings": {"nfe": 2, "beta": 1.0}}]},
  "paper": {"label": "FID", "values": [[1.5, 2.5], [3.5, 4.5]]}})";

class SweepTest : public ::testing::Test {
 protected:
  SweepTest()
      : upscaler_(Model::load(support::make_test_model(folder_.path() / "tiny"))),
        network_(FeatureNetwork::load(support::make_test_features(folder_.path() / "features"))) {
    options_.reference = folder_.path() / "reference";
    options_.folder = folder_.path() / "cells";
    fs::create_directory(options_.reference);
    fs::create_directory(options_.folder);
    for (int i = 0; i < 4; ++i) {
      at::manual_seed(static_cast<std::uint64_t>(i));
      Image image;
      image.rgb = at::rand({3, 16, 16}).mul(1.6).sub(0.8);
      write_image(options_.reference / (std::to_string(i) + ".png"), image);
    }
  }

  SweepPlan plan(const std::string& text = plan_text) {
    const fs::path path = folder_.path() / "plan.json";
    std::ofstream(path) << text;
    return read_sweep_plan(path);
  }

  SweepResult run(const SweepPlan& plan) {
    SweepObserver observer;
    observer.on_progress = [&](std::int64_t done, std::int64_t total) {
      EXPECT_LE(done, total);
      evaluations_ = done;
    };
    observer.cancelled = [&] { return evaluations_ >= stop_after_; };
    evaluations_ = 0;
    return run_sweep(plan, options_, upscaler_, &network_, observer);
  }

  support::TemporaryFolder folder_;
  Upscaler upscaler_;
  FeatureNetwork network_;
  SweepOptions options_;
  std::int64_t evaluations_ = 0;
  std::int64_t stop_after_ = 1000000;
};

TEST_F(SweepTest, ColumnsOverrideRowsAndRowsThePlan) {
  const SweepPlan small = plan();
  ASSERT_EQ(small.cells.size(), 4U);
  EXPECT_EQ(small.rows, (std::vector<std::string>{"map", "none"}));
  EXPECT_EQ(small.columns, (std::vector<std::string>{"default", "2"}));
  EXPECT_TRUE(small.cells[0].weight_map);
  EXPECT_FALSE(small.cells[0].nfe.has_value());
  EXPECT_EQ(small.cells[1].beta, 1.0);
  EXPECT_EQ(small.cells[2].nfe, 5);
  EXPECT_EQ(small.cells[3].nfe, 2);
  EXPECT_FALSE(small.cells[3].weight_map);
  EXPECT_EQ(small.cells[3].t, 20);
  EXPECT_EQ(small.published->values, (std::vector<double>{1.5, 2.5, 3.5, 4.5}));
}

TEST_F(SweepTest, APlanThatIsWrongSaysWhere) {
  const auto refused = [this](const std::string& from, const std::string& to) -> std::string {
    std::string text = plan_text;
    text.replace(text.find(from), from.size(), to);
    try {
      plan(text);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "nothing was refused";
  };
  const std::string path = (folder_.path() / "plan.json").string() + ": ";
  EXPECT_EQ(refused("\"t\": 20", "\"T\": 20"),
            path + "the sweep: settings: the field 'T' is not known");
  EXPECT_EQ(refused("\"psnr\"", "\"psrn\"").rfind(path + "the metric 'psrn'", 0), 0U);
  EXPECT_EQ(refused("\"title\": \"A small table\", ", ""),
            path + "the sweep: the field 'title' is missing");
  EXPECT_EQ(refused("[3.5, 4.5]", "[3.5]"), path + "'paper' must state a value for each cell");
  EXPECT_EQ(refused("{\n", "\n"), path.substr(0, path.size() - 2) + ": is not valid JSON");
  EXPECT_THROW(read_sweep_plan(folder_.path() / "absent.json"), UsageError);
  EXPECT_EQ(
      refused("\"nfe\": 5", "\"nfe\": " + std::string(100000, '[') + std::string(100000, ']')),
      path + "is JSON of more than 64 levels");
}

TEST_F(SweepTest, ACellIsWhatEvalMeasures) {
  const SweepPlan small = plan();
  const SweepResult result = run(small);
  ASSERT_EQ(result.cells.size(), 4U);
  EXPECT_EQ(result.images, 4);
  FolderEvaluationOptions options;
  options.reference = options_.reference;
  options.evaluation.metrics = small.metrics;
  const UpscaleSettings settings = resolve_settings(small.cells[3], upscaler_.model().manifest());
  const Evaluation alone = evaluate_model(options, upscaler_, settings, {}, &network_);
  for (std::size_t i = 0; i < alone.figures.size(); ++i) {
    EXPECT_EQ(result.cells[3].figures[i].key, alone.figures[i].key);
    EXPECT_DOUBLE_EQ(result.cells[3].figures[i].value, alone.figures[i].value);
  }
  EXPECT_NE(result.cells[0].figures[0].value, result.cells[2].figures[0].value);
  // β = 1 leaves the map without an effect: equation (1).
  EXPECT_DOUBLE_EQ(result.cells[1].figures[0].value, result.cells[3].figures[0].value);
}

TEST_F(SweepTest, FinishedCellsAreNotMeasuredAgain) {
  const SweepPlan small = plan();
  stop_after_ = 4 * resolve_settings(small.cells[0], upscaler_.model().manifest()).nfe + 1;
  EXPECT_THROW(run(small), Cancelled);
  stop_after_ = 1000000;
  const SweepResult resumed = run(small);
  EXPECT_EQ(resumed.resumed, 1);
  EXPECT_EQ(evaluations_, 4 * (2 + 5 + 2));
  const SweepResult again = run(small);
  EXPECT_EQ(again.resumed, 4);
  EXPECT_EQ(evaluations_, 0);
  for (std::size_t i = 0; i < again.cells.size(); ++i) {
    for (std::size_t k = 0; k < again.cells[i].figures.size(); ++k) {
      EXPECT_EQ(again.cells[i].figures[k].value, resumed.cells[i].figures[k].value);
      EXPECT_EQ(again.cells[i].figures[k].name, resumed.cells[i].figures[k].name);
    }
  }
}

TEST_F(SweepTest, AKeptCellNamesItsFiguresByTheirWords) {
  const SweepPlan small = plan();
  run(small);
  const fs::path file = options_.folder / "row1-column1.json";
  const auto kept = nlohmann::json::parse(read_file(file));
  EXPECT_EQ(kept.at("made_from").at("figures"), (nlohmann::json{"fid", "psnr", "sharpness"}));
  auto older = kept;  // a cell of srdiff 0.1.0, whose key was a hash over the metrics' numbers
  older.erase("made_from");
  older["key"] = std::string(64, '0');
  std::ofstream(file) << older.dump();
  EXPECT_EQ(run(small).resumed, 3);
}

TEST_F(SweepTest, WhatAFigureDependsOnIsMeasuredAgain) {
  SweepPlan small = plan();
  run(small);
  small.cells[1].seed = 7;
  EXPECT_EQ(run(small).resumed, 3);
  std::ofstream(options_.folder / "row1-column1.json") << "{\"made_from\": ";
  EXPECT_EQ(run(small).resumed, 3);
  options_.limit = 3;
  EXPECT_EQ(run(small).resumed, 0);
  options_.kid.subset_size = 2;
  EXPECT_EQ(run(small).resumed, 0);
}

}  // namespace
}  // namespace srdiff
