#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/file_io.h"
#include "base/json_fields.h"
#include "srdiff/network.h"

namespace srdiff {

/// A kind of folder that holds manifest.json and TorchScript files, and where such folders are.
struct NetworkFolderKind {
  const char* what;       ///< "model", for messages
  const char* variable;   ///< environment variable with places separated by ':'
  const char* subfolder;  ///< see search_places
  const char* remedy;     ///< what to do when there is none of that name
};

/// The folder of that name: a name with a '/' is a folder as given; any other is looked for in the
/// places of search_places (base/search_path.h). Throws ModelError naming the places.
std::filesystem::path find_network_folder(const NetworkFolderKind& kind, const std::string& name);

/// All folders that find_network_folder would find, each name once, sorted by name.
std::vector<std::filesystem::path> list_network_folders(const NetworkFolderKind& kind);

/// read_file of a manifest, of 4 MB at most: a failure is a ModelError.
std::string read_model_file(const std::filesystem::path& path);

/// Parses the text as JSON and calls parse(document, name). Every failure becomes a ModelError with
/// that name.
void parse_network_manifest(
    const std::string& text, const std::string& name,
    const std::function<void(const nlohmann::json&, const std::string& where)>& parse);

/// The same of FOLDER/manifest.json.
void parse_network_manifest(
    const std::filesystem::path& folder,
    const std::function<void(const nlohmann::json&, const std::string& where)>& parse);

/// A file's entry in a manifest, {"path", "sha256"}, or nothing where there is none.
/// Throws ModelError for a path that leaves the folder.
std::optional<NetworkFile> read_network_file(const JsonFields& files, const char* key);
/// The same of one that must be there. Throws ModelError, which begins with `where`, if it is not.
NetworkFile required_network_file(const JsonFields& files, const char* key,
                                  const std::string& where);

/// The file's bytes, 4 GB at most. Throws ModelError unless their SHA-256 is the manifest's; it is
/// computed, or taken from known_digests.h.
LargeFile read_verified(const std::filesystem::path& folder, const NetworkFile& file);

}  // namespace srdiff
