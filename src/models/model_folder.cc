#include "models/model_folder.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/file_io.h"
#include "base/json_text.h"
#include "base/known_digests.h"
#include "base/nearest_word.h"
#include "base/search_path.h"
#include "base/sha256.h"
#include "models/default_models.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;

KnownDigests known_digests;

/// The shipped models' manifests have 6 and 13 kB.
constexpr std::int64_t max_manifest_bytes = std::int64_t{4} << 20;

/// What an archive that LibTorch writes holds without its 64-bit fields; the paper's networks have
/// up to 0.4 GB.
constexpr std::int64_t max_network_bytes = (std::int64_t{4} << 30) - 1;

bool has_manifest(const fs::path& folder) {
  return !first_place_with({folder}, manifest_file).empty();
}

/// Calls read(); an InputError about a model's file becomes a ModelError.
template <typename Read>
auto of_model(Read read) {
  try {
    return read();
  } catch (const InputError& error) {
    throw ModelError(error.what());
  }
}

}  // namespace

void set_known_digests(KnownDigests known) {
  known_digests = std::move(known);
}

fs::path find_network_folder(const NetworkFolderKind& kind, const std::string& name) {
  const std::string what = kind.what;
  if (name.empty()) {
    throw ModelError("the " + what + "'s name is empty; " + kind.remedy);
  }
  if (name.find('/') != std::string::npos) {
    if (!has_manifest(name)) {
      throw ModelError(name + ": is no " + what + " folder (it has no manifest.json)");
    }
    return name;
  }
  const std::vector<fs::path> places = search_places(kind.variable, kind.subfolder);
  const fs::path place = first_place_with(places, fs::path(name) / manifest_file);
  if (!place.empty()) {
    return place / name;
  }
  std::string list;
  for (const fs::path& other : places) {
    list += (list.empty() ? "" : ", ") + other.string();
  }
  std::vector<std::string> known;
  for (const fs::path& folder : list_network_folders(kind)) {
    known.push_back(folder.filename().string());
  }
  throw ModelError("there is no " + what + " '" + name + "' in " + list +
                   nearest_hint(name, known) + "; " + kind.remedy);
}

std::vector<fs::path> list_network_folders(const NetworkFolderKind& kind) {
  std::map<std::string, fs::path> found;
  for (const fs::path& place : search_places(kind.variable, kind.subfolder)) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(place, error)) {
      if (has_manifest(entry.path())) {
        found.emplace(entry.path().filename().string(), entry.path());
      }
    }
  }
  std::vector<fs::path> folders;
  folders.reserve(found.size());
  for (auto& [name, folder] : found) {
    folders.push_back(std::move(folder));
  }
  return folders;
}

std::string read_model_file(const fs::path& path) {
  return of_model([&] { return read_file(path, max_manifest_bytes); });
}

void parse_network_manifest(
    const std::string& text, const std::string& name,
    const std::function<void(const nlohmann::json&, const std::string& where)>& parse) {
  try {
    parse(parse_json(text), name);
  } catch (const nlohmann::json::exception&) {
    throw ModelError(name + ": is not valid JSON");
  } catch (const UsageError& error) {
    throw ModelError(name + ": " + error.what());
  }
}

void parse_network_manifest(
    const fs::path& folder,
    const std::function<void(const nlohmann::json&, const std::string& where)>& parse) {
  const fs::path path = folder / manifest_file;
  parse_network_manifest(read_model_file(path), path.string(), parse);
}

std::optional<NetworkFile> read_network_file(const JsonFields& files, const char* key) {
  if (!files.has(key)) {
    return std::nullopt;
  }
  const JsonFields file = files.object(key);
  NetworkFile result{file.required<std::string>("path"), file.required<std::string>("sha256")};
  const fs::path path(result.path);
  if (path.is_absolute() || std::find(path.begin(), path.end(), "..") != path.end()) {
    throw ModelError("the model file '" + result.path + "' must lie inside the model's folder");
  }
  return result;
}

NetworkFile required_network_file(const JsonFields& files, const char* key,
                                  const std::string& where) {
  const std::optional<NetworkFile> file = read_network_file(files, key);
  if (!file) {
    throw ModelError(where + ": the field '" + key + "' is missing");
  }
  return *file;
}

LargeFile read_verified(const fs::path& folder, const NetworkFile& file) {
  const fs::path path = folder / file.path;
  LargeFile bytes = of_model([&] { return LargeFile(path, max_network_bytes); });
  const std::optional<std::string> known =
      known_digests ? known_digests(bytes.identity()) : std::nullopt;
  if ((known ? *known : sha256_hex(bytes.bytes())) != file.sha256) {
    throw ModelError(path.string() +
                     ": damaged: its SHA-256 is not the manifest's; fetch the model again");
  }
  return bytes;
}

}  // namespace srdiff
