#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "batch/shard.h"
#include "srdiff/image_io.h"

namespace srdiff {

/// Throws UsageError unless a word is empty or the ending, without its dot, of a format that srdiff
/// writes.
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
  /// The input, where it has been read already; whoever decodes it takes it away.
  std::shared_ptr<PictureFile> opened = nullptr;
};

/// Something below the input folder that could not be listed, so that pictures may be missing.
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
  std::size_t left_out = 0;         ///< files whose names do not end as pictures' do
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

/// Files from anywhere; each output lies in the output folder itself, under its input's name.
/// Throws UsageError when two inputs would become one output.
WorkList list_files(const std::vector<std::filesystem::path>& files,
                    const std::filesystem::path& output_folder, const WorkListOptions& options);

/// The name of an output: that of its input with the options' suffix and format.
std::filesystem::path output_name(const std::filesystem::path& name,
                                  const WorkListOptions& options);

/// Throws UsageError when two outputs, of whatever shard, differ in the case of their letters only.
void check_names_without_case(const WorkList& work);

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
