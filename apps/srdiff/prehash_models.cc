#include "prehash_models.h"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include "base/file_io.h"
#include "base/search_path.h"
#include "base/sha256.h"
#include "models/default_models.h"

namespace {

namespace fs = std::filesystem;

/// What --model names, or the models that are chosen without it.
std::vector<std::string> likely_models(const std::vector<std::string>& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    constexpr std::string_view option = "--model";
    if (words[i] == option && i + 1 < words.size()) {
      return {words[i + 1]};
    }
    if (words[i].rfind(std::string(option) + "=", 0) == 0) {
      return {words[i].substr(option.size() + 1)};
    }
  }
  return {srdiff::model_of_faces, srdiff::model_of_photographs};
}

fs::path folder_of(const std::string& model) {
  if (model.find('/') != std::string::npos) {
    return model;
  }
  const fs::path place = srdiff::first_place_with(
      srdiff::search_places(srdiff::models_variable, srdiff::models_subfolder),
      fs::path(model) / srdiff::manifest_file);
  return place.empty() ? fs::path() : place / model;
}

/// Whether pictures are x_sr, so that only the regressor is loaded.
bool takes_regressor_alone(const std::vector<std::string>& words) {
  for (const std::string option : {"--t", "--detail"}) {
    const auto word = std::find(words.begin(), words.end(), option);
    if (std::find(words.begin(), words.end(), option + "=0") != words.end() ||
        (word != words.end() && word + 1 != words.end() && word[1] == "0")) {
      return true;
    }
  }
  return false;
}

std::vector<fs::path> networks_of(const fs::path& folder, bool regressor_alone) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".pt" &&
        (!regressor_alone || entry.path().filename() == "regressor.pt")) {
      paths.push_back(entry.path());
    }
  }
  return paths;
}

/// The digest of a file, unless another file has taken its name since `identity` was read.
std::optional<std::string> digest_of(const fs::path& path, const std::string& identity) {
  try {
    const srdiff::LargeFile file(path);
    if (file.identity() == identity) {
      return srdiff::sha256_hex(file.bytes());
    }
  } catch (const std::exception&) {
    // The tool will find out itself, and say it.
  }
  return std::nullopt;
}

/// Files that one thread hashes one after the other, while another may wait for the digest of one.
class PrehashedFiles {
 public:
  explicit PrehashedFiles(const std::vector<fs::path>& paths) : files_(paths.size()) {
    for (std::size_t i = 0; i < paths.size(); ++i) {
      files_[i].path = paths[i];
      files_[i].identity = srdiff::file_identity(paths[i]);
      files_[i].digest = files_[i].promise.get_future();
    }
  }

  void compute() {
    for (File& file : files_) {
      file.promise.set_value(digest_of(file.path, file.identity));
    }
  }

  std::optional<std::string> digest(const std::string& identity) const {
    const auto found = std::find_if(files_.begin(), files_.end(),
                                    [&](const File& file) { return file.identity == identity; });
    return found == files_.end() ? std::nullopt : found->digest.get();
  }

 private:
  struct File {
    fs::path path;
    std::string identity;
    std::promise<std::optional<std::string>> promise;
    std::shared_future<std::optional<std::string>> digest;
  };
  std::vector<File> files_;
};

}  // namespace

srdiff::KnownDigests start_prehashing(int argc, char** argv) {
  const std::vector<std::string> words(argv, argv + argc);
  if (std::find(words.begin(), words.end(), "upscale") == words.end() ||
      std::thread::hardware_concurrency() < 2) {
    return {};
  }
  try {
    std::vector<fs::path> paths;
    for (const std::string& model : likely_models(words)) {
      const std::vector<fs::path> of_model =
          networks_of(folder_of(model), takes_regressor_alone(words));
      paths.insert(paths.end(), of_model.begin(), of_model.end());
    }
    const auto digests = std::make_shared<PrehashedFiles>(paths);
    std::thread([digests] { digests->compute(); }).detach();
    return [digests](const std::string& identity) { return digests->digest(identity); };
  } catch (const std::exception&) {
    return {};  // a folder that cannot be listed, no thread: the tool does all itself
  }
}
