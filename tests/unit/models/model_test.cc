#include "srdiff/model.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "base/known_digests.h"
#include "base/sha256.h"
#include "srdiff/error.h"
#include "support/expect.h"
#include "support/temporary_folder.h"
#include "support/test_model.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;
using support::make_test_model;
using support::message_of;
using support::TemporaryFolder;
using support::TestModelOptions;

class ModelTest : public ::testing::Test {
 protected:
  fs::path make(const TestModelOptions& options = {}) {
    return make_test_model(folder_.path() / "model", options);
  }

  /// Expects that loading or checking the model fails with a message of one line that has `part`.
  void expect_complaint(const TestModelOptions& options, const std::string& part) {
    const std::string message =
        message_of<ModelError>([&] { Model::load(make(options)).check_networks(); });
    EXPECT_NE(message.find(part), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }

  TemporaryFolder folder_;
};

TEST_F(ModelTest, LoadsAndRunsItsThreeNetworks) {
  const Model model = Model::load(make());
  const at::Tensor lr = at::linspace(-1, 1, 2 * 3 * 8 * 4).reshape({2, 3, 8, 4});
  const at::Tensor x_sr = model.regress(lr);
  EXPECT_EQ(x_sr.sizes(), (at::IntArrayRef{2, 3, 16, 8}));
  EXPECT_LE(x_sr.abs().max().item<float>(), 1.0F);
  const at::Tensor w = model.weigh(x_sr);
  EXPECT_EQ(w.sizes(), (at::IntArrayRef{2, 1, 16, 8}));
  EXPECT_GE(w.min().item<float>(), 0.0F);
  EXPECT_LE(w.max().item<float>(), 1.0F);
  EXPECT_EQ(model.denoise(x_sr, x_sr, 300).sizes(), x_sr.sizes());
}

TEST_F(ModelTest, TellsTheDenoiserTheRootOfAlphaBar) {
  TestModelOptions options;
  options.denoiser_source =
      "def forward(self, condition, x_t, noise_level):\n"
      "    return x_t * 0 + noise_level.reshape(-1, 1, 1, 1)\n";
  const Model model = Model::load(make(options));
  const at::Tensor x = at::zeros({1, 3, 8, 8});
  EXPECT_NEAR(model.denoise(x, x, 300).max().item<double>(), 0.8937081237, 1e-6);
}

TEST_F(ModelTest, ReadsTheManifest) {
  const Manifest manifest = read_manifest(make());
  EXPECT_EQ(manifest.name, "tiny");
  EXPECT_EQ(manifest.scale, 2);
  EXPECT_EQ(manifest.T, 2000);
  EXPECT_EQ(manifest.size_multiple, 4);
  EXPECT_EQ(manifest.sha256.size(), 64U);
  EXPECT_TRUE(manifest.regressor && manifest.weight_map);
}

TEST_F(ModelTest, RunsWithoutRegressorAndWeightMap) {
  TestModelOptions options;
  options.regressor = false;
  options.weight_map = false;
  const Model model = Model::load(make(options));
  EXPECT_FALSE(model.has_regressor() || model.has_weight_map());
  EXPECT_THROW(model.regress(at::zeros({1, 3, 4, 4})), ModelError);
  EXPECT_THROW(model.weigh(at::zeros({1, 3, 8, 8})), ModelError);
}

TEST_F(ModelTest, NamesADamagedFile) {
  for (const char* file : {"regressor", "weight_map", "denoiser"}) {
    TestModelOptions options;
    options.damaged = file;
    expect_complaint(options, std::string(file) + ".pt: damaged");
  }
}

TEST_F(ModelTest, ADigestThatIsKnownIsComparedInsteadOfComputed) {
  const fs::path model = make();
  const std::string denoiser = file_identity(model / "denoiser.pt");
  std::optional<std::string> known;
  set_known_digests(
      [&](const std::string& identity) { return identity == denoiser ? known : std::nullopt; });
  EXPECT_NO_THROW(Model::load(model));
  known = std::string(64, '0');
  const std::string complaint = message_of<ModelError>([&] { Model::load(model); });
  set_known_digests({});
  EXPECT_NE(complaint.find("denoiser.pt: damaged"), std::string::npos) << complaint;
}

TEST_F(ModelTest, NamesAMissingFile) {
  const fs::path model = make();
  const fs::path file = model / "denoiser.pt";
  fs::remove(file);
  const std::string expected = file.string() + ": no such file";
  EXPECT_EQ(message_of<ModelError>([&] { Model::load(model); }), expected);
  EXPECT_EQ(message_of<ModelError>([&] { verify_files(model, read_manifest(model)); }), expected);
}

TEST_F(ModelTest, AScaleThatTheRegressorDoesNotHaveIsFound) {
  expect_complaint({.manifest_patch = R"({"scale": 3})"}, "the manifest promises [1, 3, 12, 12]");
}

TEST_F(ModelTest, ShapesAreComparedOnEveryCall) {
  const Model model = Model::load(make({.manifest_patch = R"({"scale": 3})"}));
  EXPECT_THROW(model.regress(at::zeros({1, 3, 4, 8})), ModelError);

  TestModelOptions options;
  options.denoiser_source =
      "def forward(self, condition, x_t, noise_level):\n    return x_t[:, :, 1:]\n";
  const at::Tensor x = at::zeros({1, 3, 8, 8});
  EXPECT_THROW(Model::load(make(options)).denoise(x, x, 300), ModelError);
}

TEST_F(ModelTest, NamesTheFieldAtFault) {
  expect_complaint({.manifest_patch = R"({"scale": null})"}, "the field 'scale' is missing");
  expect_complaint({.manifest_patch = R"({"scale": "two"})"}, "'scale' has the wrong type");
  expect_complaint({.manifest_patch = R"({"scale": 0})"}, "'scale' is 0, outside 1 to 64");
  expect_complaint({.manifest_patch = R"({"format": 2})"}, "'format' is not 1");
  expect_complaint({.manifest_patch = R"({"parameterisation": "score"})"}, "'score' is not known");
  expect_complaint({.manifest_patch = R"({"condition": "lanczos"})"}, "'lanczos' is not known");
  expect_complaint({.regressor = false, .manifest_patch = R"({"condition": "x_sr"})"},
                   "the field 'regressor' is missing, and the condition is x_sr");
  expect_complaint({.manifest_patch = R"({"schedule": null})"}, "schedule: must be a JSON object");
  expect_complaint({.manifest_patch = R"({"schedule": {"beta_end": 2}})"}, "noise schedule");
  expect_complaint({.manifest_patch = R"({"defaults": {"t": 9999}})"}, "'t' is 9999");
  expect_complaint({.manifest_patch = R"({"defaults": {"gird": "uniform"}})"},
                   "the field 'gird' is not known");
  expect_complaint({.manifest_patch = R"({"defaults": {"eta": 7}})"}, "'eta' is 7, outside 0 to 1");
  expect_complaint({.manifest_patch = R"({"weight_map_channels": 2})"}, "weight_map_channels");
  expect_complaint({.manifest_patch = R"({"files": {"denoiser": {"path": "../x.pt"}}})"},
                   "must lie inside");
}

TEST_F(ModelTest, AManifestThatIsNotJsonIsNamed) {
  const fs::path model = make();
  const fs::path file = model / "manifest.json";
  std::ofstream(file) << "{";
  EXPECT_EQ(message_of<ModelError>([&] { read_manifest(model); }),
            file.string() + ": is not valid JSON");
}

TEST_F(ModelTest, ValuesThatAreNotFiniteAreFound) {
  TestModelOptions options;
  options.denoiser_source =
      "def forward(self, condition, x_t, noise_level):\n    return x_t / 0.0\n";
  expect_complaint(options, "not finite");
}

TEST_F(ModelTest, ANetworkThatFailsSaysItsReasonInOneLine) {
  TestModelOptions options;
  options.denoiser_source =
      "def forward(self, condition, x_t, noise_level):\n    return x_t.reshape([7])\n";
  expect_complaint(options, "denoiser.pt: the network failed: ");
}

TEST_F(ModelTest, AFileThatIsNoNetworkIsNamed) {
  const std::string text = "not a zip";
  const std::string hash = R"({"sha256": ")" + sha256_hex(text) + "\"}";
  const fs::path model = make({.manifest_patch = R"({"files": {"denoiser": )" + hash + "}}"});
  const fs::path file = model / "denoiser.pt";
  std::ofstream(file) << text;
  const std::string message = message_of<ModelError>([&] { Model::load(model); });
  EXPECT_EQ(message.rfind(file.string() + ": not a usable TorchScript network: ", 0), 0U)
      << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

TEST_F(ModelTest, ReducedPrecisionAgreesWithFp32OrIsRefused) {
  const fs::path folder = make();
  const Model full = Model::load(folder);
  EXPECT_THROW(Model::load(folder, c10::kCPU, c10::kHalf), ModelError);
  const Model reduced = Model::load(folder, c10::kCPU, c10::kBFloat16);
  const at::Tensor x = at::linspace(-1, 1, 3 * 64).reshape({1, 3, 8, 8});
  const at::Tensor expected = full.denoise(x, x, 300);
  EXPECT_LT((reduced.denoise(x, x, 300) - expected).norm().item<double>(),
            0.05 * expected.norm().item<double>());
  EXPECT_EQ(reduced.denoise(x, x, 300).scalar_type(), c10::kFloat);
}

TEST_F(ModelTest, TheFastestPrecisionGivesFp32sPictures) {
  const fs::path folder = make();
  const Model fastest = Model::load_fastest(folder, read_manifest(folder), c10::kCPU);
  EXPECT_NE(fastest.precision(), c10::kHalf);
  const at::Tensor x = at::linspace(-1, 1, 3 * 64).reshape({1, 3, 8, 8});
  const at::Tensor eps = Model::load(folder).denoise(x, x, 300);
  const double a = fastest.schedule().noise_level(300);
  const double s = fastest.schedule().sigma(300);
  const at::Tensor difference = (fastest.denoise(x, x, 300) - eps) * (s / a);  // of x̂_0
  EXPECT_LT(difference.square().mean().item<double>(), 4.0 * std::pow(10.0, -4.5));

  TestModelOptions options;  // in bf16 another network: float32 it must be
  options.denoiser_source =
      "def forward(self, condition, x_t, noise_level):\n"
      "    float32 = 6\n    return x_t if x_t.dtype == float32 else -x_t\n";
  const fs::path faulty = make_test_model(folder_.path() / "faulty", options);
  EXPECT_EQ(Model::load_fastest(faulty, read_manifest(faulty), c10::kCPU).precision(), c10::kFloat);
}

TEST_F(ModelTest, ReducedPrecisionLeavesTheNoiseLevelExact) {
  TestModelOptions options;
  options.denoiser_source =
      "def forward(self, condition, x_t, noise_level):\n"
      "    return x_t * 0 + noise_level.reshape(-1, 1, 1, 1)\n";
  const Model model = Model::load(make(options), c10::kCPU, c10::kBFloat16);
  const at::Tensor x = at::zeros({1, 3, 8, 8});
  // bf16 would say 1.
  EXPECT_NEAR(model.denoise(x, x, 20).max().item<double>(), model.schedule().noise_level(20), 1e-7);
}

TEST_F(ModelTest, ReducedPrecisionThatIsComputedWronglyIsRefused) {
  TestModelOptions options;  // a network that behaves in bf16 as the faulty kernels do
  options.denoiser_source =
      "def forward(self, condition, x_t, noise_level):\n"
      "    float32 = 6\n    return x_t if x_t.dtype == float32 else -x_t\n";
  EXPECT_NO_THROW(Model::load(make(options)));
  EXPECT_THROW(Model::load(make(options), c10::kCPU, c10::kBFloat16), ModelError);
}

TEST_F(ModelTest, IsFoundByPathAndInTheSearchPathButNotInTheWorkingDirectory) {
  const fs::path model = make({.name = "model"});
  EXPECT_EQ(find_model(model.string()), model);

  ::setenv("SRDIFF_MODELS", ("/nowhere:" + folder_.path().string()).c_str(), 1);
  EXPECT_EQ(find_model("model"), model);
  const auto listed = list_models();
  EXPECT_NE(std::find(listed.begin(), listed.end(), model), listed.end());
  ::unsetenv("SRDIFF_MODELS");

  const fs::path before = fs::current_path();
  fs::current_path(folder_.path());
  EXPECT_THROW(find_model("model"), ModelError);
  EXPECT_EQ(find_model("./model"), "./model");
  fs::current_path(before);
  EXPECT_THROW(find_model(""), ModelError);
  EXPECT_THROW(find_model("no/such/folder"), ModelError);
}

// A number that does not fit an int must not be taken for another.
TEST(Manifest, NumbersThatDoNotFitAreRefused) {
  const support::TemporaryFolder folder;
  for (const char* number : {"4294967298", "2.5", "4e14", "-9223372036854775808"}) {
    support::TestModelOptions options;
    options.manifest_patch = std::string("{\"scale\": ") + number + "}";
    const auto path = support::make_test_model(folder.path() / "model", options);
    EXPECT_THROW(read_manifest(path), ModelError) << number;
  }
}

/// Two tiny models under the names of the default ones, in $SRDIFF_MODELS.
class DefaultModelsTest : public ModelTest {
 protected:
  DefaultModelsTest() {
    make_test_model(folder_.path() / "faces-x8");  // 32 output pixels at scale 2
    make_test_model(folder_.path() / "photos-x4");
    ::setenv("SRDIFF_MODELS", folder_.path().c_str(), 1);
  }
  ~DefaultModelsTest() override { ::unsetenv("SRDIFF_MODELS"); }
};

TEST_F(DefaultModelsTest, FacesAreWhatIsNoLargerThanTheirInput) {
  DefaultModels models;
  EXPECT_EQ(models.for_size(16, 16).name, "faces-x8");
  EXPECT_EQ(models.for_size(2, 3).name, "faces-x8");
  EXPECT_EQ(models.for_size(17, 16).name, "photos-x4");
  EXPECT_EQ(models.for_size(16, 400).name, "photos-x4");
  EXPECT_EQ(models.for_size(17, 16).folder, folder_.path() / "photos-x4");
}

TEST_F(DefaultModelsTest, AManifestIsReadOnce) {
  DefaultModels models;
  const FoundModel* const photographs = &models.for_size(400, 400);
  std::ofstream(folder_.path() / "photos-x4/manifest.json") << "{";
  std::ofstream(folder_.path() / "faces-x8/manifest.json") << "{";
  EXPECT_EQ(&models.for_size(300, 300), photographs);
  EXPECT_EQ(models.for_size(2, 2).manifest.scale, 2);
  EXPECT_THROW(DefaultModels(), ModelError);
}

}  // namespace
}  // namespace srdiff
