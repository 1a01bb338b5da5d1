#include "batch/batch.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "base/file_io.h"
#include "batch/report.h"
#include "srdiff/error.h"
#include "support/temporary_folder.h"
#include "support/test_model.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;
using support::make_test_model;

/// Every file below a folder with its bytes.
std::map<std::string, std::string> contents(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      files[entry.path().lexically_relative(folder).string()] = read_file(entry.path());
    }
  }
  return files;
}

BatchOptions with(Existing existing) {
  BatchOptions options;
  options.existing = existing;
  return options;
}

BatchOptions with_report(const fs::path& report) {
  BatchOptions options;
  options.report = report;
  return options;
}

class BatchTest : public ::testing::Test {
 protected:
  BatchTest() {
    fs::create_directories(in_ / "below");
    for (int i = 0; i < 9; ++i) {
      make(i < 5 ? std::to_string(i) + ".png" : "below/" + std::to_string(i) + ".png", 4 + i % 3,
           i);
    }
  }

  void make(const std::string& name, std::int64_t side, int value) const {
    Image image;
    image.rgb = at::linspace(-1.0, 1.0, 3 * side * side).reshape({3, side, side}).mul(0.1 * value);
    write_image(in_ / name, image);
  }

  WorkList work() const { return list_folder(in_, out_, {.recursive = true}); }

  BatchSummary run(BatchOptions options = {}, const BatchObserver& observer = {}) const {
    return run(work(), std::move(options), observer);
  }

  BatchSummary run(const WorkList& work, BatchOptions options = {},
                   const BatchObserver& observer = {}) const {
    UpscaleOptions wanted;
    wanted.nfe = nfe_;
    const Manifest& manifest = upscaler_.model().manifest();
    const UpscaleSettings settings = resolve_settings(wanted, manifest);
    options.encode.made_by = made_by(manifest, settings, c10::kFloat);
    return run_batch(upscaler_, work, settings, options, observer);
  }

  support::TemporaryFolder folder_;
  fs::path in_ = folder_.path() / "in";
  fs::path out_ = folder_.path() / "out";
  int nfe_ = 2;
  Upscaler upscaler_{Model::load(make_test_model(folder_.path() / "model"))};
};

TEST_F(BatchTest, MakesWhatOnePictureAtATimeMakes) {
  const BatchSummary summary = run();
  EXPECT_EQ(summary.images.done, 9U);
  EXPECT_EQ(summary.images.total, 9U);
  EXPECT_EQ(summary.stop, BatchSummary::Stop::none);
  EXPECT_GT(summary.compute_busy, 0.0);
  EXPECT_LE(summary.compute_busy, 1.0);
  const UpscaleSettings settings = resolve_settings({.nfe = 2}, upscaler_.model().manifest());
  for (const WorkItem& item : work().items) {
    const Image expected = upscaler_.upscale(read_image(in_ / item.name), settings);
    const Image found = read_image(out_ / item.output);
    EXPECT_LE((expected.rgb - found.rgb).abs().max().item<double>(), 1.01 / 255) << item.name;
  }
}

TEST_F(BatchTest, TellsWhatTheNetworksAreAt) {
  BatchObserver observer;
  std::set<fs::path> named;
  double before = 0.0;
  observer.on_work = [&](const BatchWork& networks, const BatchProgress& pictures) {
    named.insert(networks.input);
    EXPECT_GT(networks.computed, before);
    EXPECT_GE(networks.computed, static_cast<double>(pictures.done));
    before = networks.computed;
  };
  EXPECT_EQ(run({}, observer).images.done, 9U);
  EXPECT_EQ(before, 9.0);
  EXPECT_GE(named.size(), 3U) << "one of each size at least";
  for (const fs::path& input : named) {
    EXPECT_TRUE(fs::exists(input)) << input;
  }
}

TEST_F(BatchTest, ResumeSkipsWhatIsDoneAndMakesAnewWhatChanged) {
  run();
  const auto clean = contents(out_);
  EXPECT_EQ(run(with(Existing::resume)).images.skipped, 9U);
  EXPECT_EQ(contents(out_), clean);

  fs::remove(out_ / "0.png");                              // lost
  std::ofstream(out_ / "1.png", std::ios::app) << "x";     // damaged
  fs::rename(out_ / "below/5.png", out_ / "below/6.png");  // another's
  std::ofstream(out_ / ".srdiff-tmp-0123456789abcdef") << "left by a kill";
  EXPECT_EQ(run(with(Existing::resume)).images.done, 4U);
  EXPECT_EQ(contents(out_), clean);

  make("2.png", 5, 7);
  EXPECT_EQ(run(with(Existing::resume)).images.done, 1U);
  nfe_ = 3;
  EXPECT_EQ(run(with(Existing::resume)).images.done, 9U);
  BatchOptions stripped = with(Existing::resume);
  stripped.encode.strip_metadata = true;
  EXPECT_EQ(run(stripped).images.done, 9U);
  stripped.existing = Existing::overwrite;
  EXPECT_EQ(run(stripped).images.done, 9U);
}

TEST_F(BatchTest, AFileThatHasBeenReadIsNotReadAgain) {
  run();
  const auto clean = contents(out_);
  fs::remove_all(out_);
  WorkList opened = work();
  for (WorkItem& item : opened.items) {
    item.opened = std::make_shared<PictureFile>(open_picture(in_ / item.name));
    fs::remove(in_ / item.name);
  }
  EXPECT_EQ(run(opened).images.done, 9U);
  EXPECT_EQ(contents(out_), clean);
}

TEST_F(BatchTest, APictureThatLiesOnItsSideIsPlannedUpright) {
  Image image;
  image.rgb = at::linspace(-1.0, 1.0, 3 * 4 * 9).reshape({3, 4, 9});
  auto metadata = std::make_shared<Metadata>();
  // A little-endian EXIF block of one entry: orientation 6.
  metadata->exif =
      std::string("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0", 26);
  image.metadata = metadata;
  write_image(in_ / "turned.png", image);
  ASSERT_EQ(read_image(in_ / "turned.png").width(), 4);
  const BatchSummary summary = run();
  EXPECT_EQ(summary.images.failed, 0U);
  const Image found = read_image(out_ / "turned.png");
  const Image small = read_image(in_ / "turned.png");
  EXPECT_EQ(found.width(), small.width() * upscaler_.model().manifest().scale);
  EXPECT_EQ(found.height(), small.height() * upscaler_.model().manifest().scale);
}

TEST_F(BatchTest, AFailureDoesNotStopTheRest) {
  std::ofstream(in_ / "bad.png") << "no picture";
  fs::create_directories(out_ / "3.png");
  const BatchSummary summary = run(with_report(folder_.path() / "report"));
  EXPECT_EQ(summary.images.done, 8U);
  ASSERT_EQ(summary.failures.size(), 2U);
  EXPECT_EQ(summary.failures[0].input, in_ / "3.png");
  EXPECT_EQ(summary.failures[1].input, in_ / "bad.png");
  EXPECT_EQ(summary.failures[1].reason.find((in_ / "bad.png").string()), std::string::npos);
  const MergedReport report = merge_reports({folder_.path() / "report"});
  EXPECT_EQ(report.images.total, 10U);
  EXPECT_EQ(report.images.failed, 2U);
}

TEST_F(BatchTest, APictureThatTheNetworksSpoilDoesNotFailThoseBesideIt) {
  support::TestModelOptions options;
  options.denoiser_source =
      "def forward(self, condition, x_t, noise_level):\n"
      "    return torch.where(condition > 0.97, x_t * float('nan'), x_t)\n";
  upscaler_ = Upscaler(Model::load(make_test_model(folder_.path() / "spoiling", options)));
  make("0.png", 4, 10);  // the only one as bright as that, beside three of its size
  const BatchSummary summary = run();
  ASSERT_EQ(summary.failures.size(), 1U);
  EXPECT_EQ(summary.failures.front().input.filename(), "0.png");
  EXPECT_NE(summary.failures.front().reason.find("not finite"), std::string::npos);
  EXPECT_EQ(summary.images.done, 8U);
}

TEST_F(BatchTest, APictureThatMemoryDoesNotHoldDoesNotStopTheRest) {
  support::TestModelOptions options;
  options.denoiser_source =
      "def forward(self, condition, x_t, noise_level):\n"
      "    if x_t.size(3) > 16:\n"
      "        assert False, '[enforce fail at alloc_cpu.cpp:66] std::bad_alloc'\n"
      "    return 0.1 * x_t\n";
  upscaler_ = Upscaler(Model::load(make_test_model(folder_.path() / "narrow", options)));
  make("wide.png", 12, 3);
  const BatchSummary summary = run();
  EXPECT_EQ(summary.images.done, 9U);
  ASSERT_EQ(summary.failures.size(), 1U);
  EXPECT_EQ(summary.failures[0].input, in_ / "wide.png");
  EXPECT_EQ(summary.failures[0].reason,
            "not enough memory to enlarge 12x12 pixels; take a smaller picture");
}

TEST_F(BatchTest, TheCallerWordsAFailureByItsCode) {
  std::ofstream(in_ / "bad.png") << "no picture";
  BatchOptions options = with_report(folder_.path() / "report");
  options.word_failure = [](const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::other);
    return std::string(error.what()) + ", worded";
  };
  const BatchSummary summary = run(options);
  ASSERT_EQ(summary.failures.size(), 1U);
  EXPECT_EQ(summary.failures[0].reason,
            "is not a picture that srdiff reads (PNG, JPEG, WebP, TIFF, BMP, JPEG XL, AVIF, HEIC), "
            "worded");
  EXPECT_NE(read_file(folder_.path() / "report").find(", worded"), std::string::npos);
}

TEST_F(BatchTest, FailFastStops) {
  std::ofstream(in_ / "!first.png") << "no picture";
  BatchOptions options;
  options.fail_fast = true;
  const BatchSummary summary = run(options);
  EXPECT_EQ(summary.stop, BatchSummary::Stop::fail_fast);
  EXPECT_EQ(summary.images.failed, 1U);
}

TEST_F(BatchTest, CancellingLeavesWholePicturesAndResumes) {
  run();
  const auto clean = contents(out_);
  fs::remove_all(out_);
  std::atomic<int> asked = 0;  // before each picture and each evaluation
  BatchObserver observer;
  observer.cancelled = [&] { return ++asked > 30; };
  const BatchSummary summary = run({}, observer);
  EXPECT_EQ(summary.stop, BatchSummary::Stop::cancelled);
  EXPECT_LT(summary.images.done, 9U);
  for (const auto& [name, bytes] : contents(out_)) {
    EXPECT_TRUE(name == ".srdiff.journal" || clean.at(name) == bytes) << name;
  }
  run(with(Existing::resume));
  EXPECT_EQ(contents(out_), clean);
}

TEST_F(BatchTest, ShardsMakeTheWholeAndOneMoreRunItsJournal) {
  run();
  const auto clean = contents(out_);
  fs::remove_all(out_);
  for (int index = 1; index <= 3; ++index) {
    const WorkList part = list_folder(in_, out_, {.recursive = true, .shard = {index, 3}});
    const UpscaleSettings settings = resolve_settings({.nfe = 2}, upscaler_.model().manifest());
    BatchOptions options;
    options.encode.made_by = made_by(upscaler_.model().manifest(), settings, c10::kFloat);
    run_batch(upscaler_, part, settings, options);
  }
  EXPECT_EQ(run(with(Existing::resume)).images.skipped, 9U);
  auto found = contents(out_);
  for (const char* shard : {"1", "2", "3"}) {
    EXPECT_EQ(found.erase(std::string(".srdiff.journal.") + shard + "-of-3"), 1U);
  }
  EXPECT_EQ(found, clean);
}

TEST_F(BatchTest, AnOutputThatCannotBeReadIsMadeAgain) {
  run();
  const auto clean = contents(out_);
  if (::geteuid() == 0) {
    fs::remove(out_ / "0.png");  // root reads every file, but no link that leads round in a circle
    fs::create_symlink("0.png", out_ / "0.png");
  } else {
    ::chmod((out_ / "0.png").c_str(), 0);
  }
  const BatchSummary summary = run(with(Existing::resume));
  EXPECT_EQ(summary.images.done, 1U);
  EXPECT_EQ(summary.images.failed, 0U);
  EXPECT_EQ(contents(out_), clean);
}

TEST_F(BatchTest, FilesOfTheUserInTheOutputFolderStay) {
  fs::create_directories(out_ / "gone");
  for (const char* name : {".srdiff-backup", ".srdiff-config", "notes.txt"}) {
    std::ofstream(out_ / name) << "the user's";
  }
  run();
  EXPECT_EQ(read_file(out_ / ".srdiff-backup"), "the user's");
  EXPECT_EQ(read_file(out_ / ".srdiff-config"), "the user's");
}

TEST_F(BatchTest, ATemporaryFileIsRemovedWhereTheInputsFolderIsGone) {
  run();
  std::ofstream(out_ / "below/.srdiff-tmp-0123456789abcdef") << "left by a kill";
  fs::remove_all(in_ / "below");
  run(with(Existing::resume));
  EXPECT_FALSE(fs::exists(out_ / "below/.srdiff-tmp-0123456789abcdef"));
}

TEST_F(BatchTest, ARunStopsWhereItsOutputFolderIsRemoved) {
  BatchObserver observer;
  std::atomic<bool> removed = false;
  observer.on_image = [&](const ImageReport&, const BatchProgress& progress) {
    if (progress.done == 1 && !removed.exchange(true)) {
      fs::rename(out_, folder_.path() / "moved");
    }
  };
  const BatchSummary summary = run({}, observer);
  EXPECT_EQ(summary.stop, BatchSummary::Stop::storage);
  EXPECT_NE(summary.stop_reason.find("was removed"), std::string::npos) << summary.stop_reason;
  EXPECT_FALSE(fs::exists(out_));
}

TEST_F(BatchTest, NamesThatDifferInCaseOnlyNeedAFileSystemThatTellsThem) {
  make("A.png", 4, 1);
  make("a.png", 4, 2);
  EXPECT_EQ(run().images.done, 11U);
  // A file system without case finds the journal under capital letters; here a link does.
  fs::create_symlink(".srdiff.journal", out_ / ".SRDIFF.JOURNAL");
  EXPECT_THROW(run(with(Existing::resume)), UsageError);
  fs::remove(in_ / "A.png");
  EXPECT_EQ(run(with(Existing::resume)).images.skipped, 10U);
}

TEST_F(BatchTest, TwoRunsDoNotShareAReport) {
  const fs::path report = folder_.path() / "report";
  const ReportFile of_another_run(report, "", 0);
  EXPECT_THROW(run(with_report(report)), UsageError);
}

TEST_F(BatchTest, AReportOverWhatTheRunNeedsIsRefused) {
  const fs::path model = folder_.path() / "model";
  EXPECT_THROW(check_report(model / "denoiser.pt", work(), {model / "denoiser.pt"}), UsageError);
  EXPECT_THROW(check_report(out_ / ".srdiff.journal", work()), UsageError);
  std::ofstream(in_ / "list.txt") << "read by another shard";
  const WorkList with_text = list_folder(in_, out_, {.globs = {"*.txt"}, .shard = {1, 100000}});
  ASSERT_TRUE(with_text.items.empty());
  EXPECT_THROW(check_report(in_ / "list.txt", with_text), UsageError);
  EXPECT_NO_THROW(check_report(folder_.path() / "report", work(), {model / "denoiser.pt"}));
}

TEST_F(BatchTest, AReportThatCannotBeWrittenStopsTheRun) {
  EXPECT_THROW(run(with_report(folder_.path() / "missing/report")), InputError);
  EXPECT_EQ(run(with_report("/dev/full")).stop, BatchSummary::Stop::storage);
}

TEST(Report, MergesByOutputAndTheLastThatIsDoneWins) {
  const support::TemporaryFolder folder;
  const auto line = [](const char* output, const char* status, int number) {
    return std::string("{\"input\":\"i\",\"output\":\"") + output + "\",\"status\":\"" + status +
           "\",\"number\":" + std::to_string(number) + "}\n";
  };
  std::ofstream(folder.path() / "1") << line("b", "done", 1) << line("a", "failed", 2)
                                     << line("c", "failed", 3) << line("d", "skipped", 4);
  std::ofstream(folder.path() / "2")
      << line("b", "skipped", 5) << line("a", "done", 6) << line("c", "failed", 7)
      << line("d", "done", 8) << "{\"input\":\"torn";
  const MergedReport merged = merge_reports({folder.path() / "1", folder.path() / "2"});
  EXPECT_EQ(merged.lines, line("a", "done", 6) + line("b", "done", 1) + line("c", "failed", 7) +
                              line("d", "done", 8));
  EXPECT_EQ(merged.images.done, 3U);
  EXPECT_EQ(merged.images.failed, 1U);
  std::ofstream(folder.path() / "3") << "no report\n";
  EXPECT_THROW(merge_reports({folder.path() / "3"}), InputError);
}

TEST(MadeBy, IsOneLineAndTellsEverySetting) {
  const support::TemporaryFolder folder;
  const Manifest manifest = read_manifest(make_test_model(folder.path() / "model"));
  const UpscaleSettings settings = {.start = Start::noise,
                                    .weight_map = false,
                                    .t = 120,
                                    .beta = 0.25,
                                    .sampler = SamplerKind::dpmpp,
                                    .nfe = 5,
                                    .eta = 0.5,
                                    .grid = GridSpacing::logsnr,
                                    .seed = 7,
                                    .color_fix = ColorFix::consistency,
                                    .scale = 2.5,
                                    .tile = {.size = 32, .overlap = 8}};
  const std::string text = made_by(manifest, settings, c10::kBFloat16);
  EXPECT_EQ(text.rfind(R"({"srdiff":")", 0), 0U) << text;
  EXPECT_EQ(
      text.substr(text.find(R"("model")")),
      R"("model":{"name":"tiny","version":"1.0","sha256":")" + manifest.sha256 +
          R"("},"precision":"bf16","settings":{"start":"noise","weight_map":false,"t":120,)"
          R"("beta":0.25,"sampler":"dpmpp","nfe":5,"guidance":1.0,"eta":0.5,"grid":"logsnr","seed":7,)"
          R"("scale":2.5,"color_fix":"consistency","tile":{"size":32,"overlap":8}}})");
  EXPECT_EQ(text.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace srdiff
