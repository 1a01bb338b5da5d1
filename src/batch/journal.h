#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/file_descriptor.h"
#include "batch/work_list.h"

namespace srdiff {

/// What a picture was made from, and what came out. Hashes are SHA-256.
struct JournalEntry {
  std::string input_sha256;   ///< of the input file's bytes
  std::string run_sha256;     ///< of model, settings and encoding: all that decides the output, and
                              ///< whether the input was damaged
  std::string output_sha256;  ///< of the output file's bytes
  std::uint64_t output_size = 0;
};

/// The list of finished pictures in an output folder: `.srdiff.journal`, of a shard
/// `.srdiff.journal.I-of-N`. A line of JSON a picture, on the disk before the picture counts as
/// done; a last line that a kill tore apart is left out when it is read. Whoever has it open holds
/// its lock.
class Journal {
 public:
  /// Opens it, or makes it. Entries of earlier runs with the same shard stay, except those for
  /// `forgotten`. Throws UsageError when another run has it open, WriteError.
  Journal(std::filesystem::path folder, const Shard& shard,
          const std::vector<std::filesystem::path>& forgotten = {});
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// Reads the other shards' journals too, for find, as far as they go now: their runs may be on.
  /// One that cannot be read is left out, with a warning.
  void read_others();

  /// The entry for an output (a path below the folder) of this journal or another.
  std::optional<JournalEntry> find(const std::filesystem::path& output) const;

  /// Keeps an entry that find gave, so that the next rewrite writes it.
  void keep(const std::filesystem::path& output, const JournalEntry& entry);

  /// Notes a picture; returns when the note is on the disk. Throws WriteError.
  void append(const std::filesystem::path& output, const JournalEntry& entry);

  /// Writes it anew, in the order of the outputs, so that the same pictures give the same bytes.
  /// Throws WriteError; the journal is as good as before then.
  void rewrite();

  /// The outputs of this journal's entries, paths below the folder.
  std::vector<std::filesystem::path> outputs() const;

  /// Whether the folder's file system takes names that differ in case only for one.
  bool names_ignore_case() const;

  /// Whether a folder holds the journal of any shard.
  static bool exists_in(const std::filesystem::path& folder);

  /// Whether a file has the name of any shard's journal.
  static bool is_name_of_one(const std::filesystem::path& file);

 private:
  void open_locked();

  std::filesystem::path folder_;
  std::filesystem::path path_;
  FileDescriptor file_;
  mutable std::mutex mutex_;
  std::map<std::string, JournalEntry> entries_;  ///< by output, as name_to_utf8 writes it
  std::map<std::string, JournalEntry> others_;
};

}  // namespace srdiff
