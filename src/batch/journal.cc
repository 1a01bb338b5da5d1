#include "batch/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <sstream>
#include <system_error>
#include <utility>

#include "base/atomic_file.h"
#include "base/file_io.h"
#include "base/json_text.h"
#include "base/text_escape.h"
#include "srdiff/error.h"
#include "srdiff/logging.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using nlohmann::ordered_json;

constexpr const char* base_name = ".srdiff.journal";
constexpr const char* head = "{\"srdiff_journal\":1}\n";

fs::path journal_path(const fs::path& folder, const Shard& shard) {
  std::string name = base_name;
  if (shard.count > 1) {
    name.append(".").append(std::to_string(shard.index));
    name.append("-of-").append(std::to_string(shard.count));
  }
  return folder / name;
}

std::string line_of(const std::string& output, const JournalEntry& entry) {
  return ordered_json{{"output", output},
                      {"input_sha256", entry.input_sha256},
                      {"run_sha256", entry.run_sha256},
                      {"output_sha256", entry.output_sha256},
                      {"output_size", entry.output_size}}
             .dump() +
         "\n";
}

/// Adds what a journal says; the later line of an output counts. Lines that are none (the head, a
/// torn one) are passed over: the picture is made again.
void read_entries(const std::string& text, std::map<std::string, JournalEntry>& entries) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line) && !lines.eof();) {
    try {
      const auto fields = parse_json(line);
      const auto size = whole_number<std::uint64_t>(fields.at("output_size"));
      if (size) {
        entries[fields.at("output").get<std::string>()] = {
            fields.at("input_sha256").get<std::string>(),
            fields.at("run_sha256").get<std::string>(),
            fields.at("output_sha256").get<std::string>(), *size};
      }
    } catch (const json::exception&) {
      continue;
    } catch (const UsageError&) {
      continue;
    }
  }
}

std::vector<fs::path> journals_in(const fs::path& folder) {
  std::vector<fs::path> journals;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (Journal::is_name_of_one(entry->path())) {
      journals.push_back(entry->path());
    }
  }
  return journals;
}

/// Whether the name still leads to the open file: another run may have put a new one in its place.
bool leads_to(const fs::path& path, int descriptor) {
  struct stat named = {};
  struct stat open = {};
  return ::stat(path.c_str(), &named) == 0 && ::fstat(descriptor, &open) == 0 &&
         named.st_dev == open.st_dev && named.st_ino == open.st_ino;
}

}  // namespace

Journal::Journal(fs::path folder, const Shard& shard, const std::vector<fs::path>& forgotten)
    : folder_(std::move(folder)), path_(journal_path(folder_, shard)) {
  open_locked();
  read_entries(read_file(path_), entries_);
  for (const fs::path& output : forgotten) {
    entries_.erase(name_to_utf8(output.native()));
  }
  rewrite();
}

void Journal::open_locked() {
  do {
    file_ = FileDescriptor(uninterrupted(
        [this] { return ::open(path_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666); }));
    if (!file_.is_open()) {
      throw WriteError(folder_, errno);
    }
    // A file system without locks (ENOLCK, ENOSYS) cannot keep two runs apart.
    if (::flock(file_.number(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      throw UsageError(folder_.string() + ": another run is writing here; wait for it",
                       ErrorCode::output_folder_in_use);
    }
  } while (!leads_to(path_, file_.number()));
}

void Journal::read_others() {
  for (const fs::path& path : journals_in(folder_)) {
    if (path == path_) {
      continue;
    }
    try {
      read_entries(read_growing_file(path), others_);
    } catch (const InputError& error) {
      log::warn("{}; what it lists is made again", error.what());
    }
  }
}

std::optional<JournalEntry> Journal::find(const fs::path& output) const {
  const std::lock_guard lock(mutex_);
  const std::string key = name_to_utf8(output.native());
  for (const auto* entries : {&entries_, &others_}) {
    const auto found = entries->find(key);
    if (found != entries->end()) {
      return found->second;
    }
  }
  return std::nullopt;
}

void Journal::keep(const fs::path& output, const JournalEntry& entry) {
  const std::lock_guard lock(mutex_);
  entries_[name_to_utf8(output.native())] = entry;
}

void Journal::append(const fs::path& output, const JournalEntry& entry) {
  const std::string key = name_to_utf8(output.native());
  {
    const std::lock_guard lock(mutex_);
    if (const int error = write_all(file_.number(), line_of(key, entry))) {
      throw WriteError(path_, error);
    }
    entries_[key] = entry;
  }
  if (uninterrupted([this] { return ::fdatasync(file_.number()); }) != 0) {
    throw WriteError(path_, errno);
  }
}

void Journal::rewrite() {
  const std::lock_guard lock(mutex_);
  std::string text = head;
  for (const auto& [output, entry] : entries_) {
    text += line_of(output, entry);
  }
  AtomicFile file(path_);
  file.write(text);
  file.rename_to_target();  // locked since it was made, so the journal is at no time without a lock
  file_ = file.release();
}

std::vector<fs::path> Journal::outputs() const {
  const std::lock_guard lock(mutex_);
  std::vector<fs::path> outputs;
  outputs.reserve(entries_.size());
  for (const auto& [output, entry] : entries_) {
    outputs.emplace_back(utf8_to_name(output));
  }
  return outputs;
}

bool Journal::names_ignore_case() const {
  std::string name = path_.filename().string();
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return leads_to(folder_ / name, file_.number());
}

bool Journal::is_name_of_one(const fs::path& file) {
  return file.filename().string().rfind(base_name, 0) == 0;
}

bool Journal::exists_in(const fs::path& folder) {
  return !journals_in(folder).empty();
}

}  // namespace srdiff
