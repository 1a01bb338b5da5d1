#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace srdiff {

/// Part `index` of `count`, from 1: for spreading one folder over machines.
struct Shard {
  int index = 1;
  int count = 1;
};

/// "I/N" with 1 ≤ I ≤ N. Throws UsageError.
Shard parse_shard(const std::string& word);

/// Whether a shard takes the picture at this path below the input folder: by SHA-256 of the path's
/// bytes modulo the count, whatever else the folder holds.
bool takes(const Shard& shard, const std::filesystem::path& name);

/// Throws UsageError unless a word is png, jpg, jpeg, webp, tif, tiff, bmp or empty.
void check_format(const std::string& word);

/// Which pictures of a folder, and what becomes of their names.
struct WorkListOptions {
  bool recursive = false;  ///< folders below the input folder too, those behind links excepted
  /// Shell patterns (fnmatch) of which one must fit: the name, or with a '/' in the pattern the
  /// path below the input folder. None: those with a picture's name. A leading dot fits only a dot.
  std::vector<std::string> globs = {};
  std::vector<std::string> excludes = {};  ///< patterns of files and folders to leave out
  std::string format = {};                 ///< as check_format takes; empty: each keeps its own
  std::string suffix = {};                 ///< goes between a name and its ending
  Shard shard = {};
};

struct WorkItem {
  std::filesystem::path name;    ///< below the input folder
  std::filesystem::path output;  ///< below the output folder
};

/// Something below the input folder that could not be listed.
struct Unlisted {
  std::filesystem::path folder;
  std::string reason;
};

/// What a folder run does, in the order of the names' bytes.
struct WorkList {
  std::filesystem::path input_folder;
  std::filesystem::path output_folder;
  std::vector<WorkItem> items;
  std::vector<Unlisted> unlisted;
  Shard shard;
  std::vector<WorkItem> elsewhere;  ///< what other shards do
};

/// The pictures of a folder. The output folder, where it lies inside, is left out, and so is
/// whatever starts with a dot and no pattern asks for. Links, pipes and devices with a picture's
/// name are taken: reading them tells.
/// Throws InputError when the input folder cannot be listed; UsageError on a wrong option, when two
/// inputs would become one output, or when the two folders are the same.
WorkList list_folder(const std::filesystem::path& input_folder,
                     const std::filesystem::path& output_folder, const WorkListOptions& options);

/// The pictures that `names` lists, paths below `input_folder` (or absolute ones inside it),
/// whatever their endings; a name that comes twice counts once.
/// Throws as list_folder does, and UsageError on a name that leads out of the input folder.
WorkList list_names(const std::filesystem::path& input_folder,
                    const std::vector<std::string>& names,
                    const std::filesystem::path& output_folder, const WorkListOptions& options);

/// What stands where a run wants to write.
enum class Existing {
  refuse,     ///< any existing output is an error
  overwrite,  ///< is replaced
  resume,     ///< is kept where the journal says that it is done and unchanged, else replaced
};

/// What can be known to fail before any work. Throws UsageError on existing outputs (under resume:
/// where no journal tells of an earlier run), on an output that is one of the inputs, and
/// InputError where the output folder cannot be written. Writes nothing.
void check_outputs(const WorkList& work, Existing existing);

}  // namespace srdiff
