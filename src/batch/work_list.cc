#include "batch/work_list.h"

#include <fnmatch.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <map>
#include <set>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "base/atomic_file.h"
#include "base/file_io.h"
#include "batch/journal.h"
#include "batch/output_folder.h"
#include "images/image_format.h"
#include "srdiff/error.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;

bool matches(const std::vector<std::string>& patterns, const fs::path& name) {
  return std::any_of(patterns.begin(), patterns.end(), [&name](const std::string& pattern) {
    const bool whole_path = pattern.find('/') != std::string::npos;
    const fs::path subject = whole_path ? name : name.filename();
    return ::fnmatch(pattern.c_str(), subject.c_str(), FNM_PATHNAME | FNM_PERIOD) == 0;
  });
}

/// Walks a folder and collects the names that the options take.
class Walk {
 public:
  Walk(const WorkListOptions& options, const fs::path& root, const fs::path& output_folder)
      : options_(options), root_(root), output_folder_(identity_of(output_folder)) {}

  void folder(const fs::path& below) {
    std::error_code error;
    fs::directory_iterator entry(root_ / below, error);
    for (const fs::directory_iterator end; !error && entry != end; entry.increment(error)) {
      visit(below / entry->path().filename(), *entry);
    }
    if (error) {
      unlisted.push_back({below, "cannot be listed: " + error.message()});
    }
  }

  std::vector<fs::path> names;
  std::vector<Unlisted> unlisted;
  std::size_t left_out = 0;

 private:
  void visit(const fs::path& name, const fs::directory_entry& entry) {
    if (matches(options_.excludes, name)) {
      return;
    }
    std::error_code error;
    const fs::file_type type = entry.symlink_status(error).type();
    // A link to a folder is not entered: it may lead round in a circle.
    const bool behind_link = type == fs::file_type::symlink && fs::is_directory(status_of(name));
    if (type == fs::file_type::directory) {
      const bool enter =
          options_.recursive && !is_hidden(name) && identity_of(root_ / name) != output_folder_;
      if (enter) {
        folder(name);
      }
    } else if (!behind_link && wanted(name)) {
      names.push_back(name);  // where it cannot be examined, reading it will say why
    } else if (type == fs::file_type::none) {
      visit_unexamined(name, entry, error);
    } else if (type == fs::file_type::regular && options_.globs.empty() && !is_hidden(name)) {
      ++left_out;
    }
  }

  /// Something that the system does not let be examined: a folder, perhaps, with pictures in it.
  void visit_unexamined(const fs::path& name, const fs::directory_entry& entry,
                        const std::error_code& reason) {
    std::error_code unknown;
    const bool is_file = entry.is_regular_file(unknown);  // the listing may have said so
    if (options_.recursive && !is_hidden(name) && !is_file) {
      unlisted.push_back({name, "cannot be listed: " + reason.message()});
    }
  }

  fs::file_status status_of(const fs::path& name) const {
    std::error_code error;
    return fs::status(root_ / name, error);
  }

  bool wanted(const fs::path& name) const {
    if (is_temporary_name(name.filename().string())) {
      return false;
    }
    return options_.globs.empty() ? is_picture_name(name) && !is_hidden(name)
                                  : matches(options_.globs, name);
  }

  const WorkListOptions& options_;
  fs::path root_;
  FileIdentity output_folder_;
};

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

void check_options(const WorkListOptions& options) {
  check_format(options.format);
  if (options.suffix.find('/') != std::string::npos) {
    throw UsageError("the suffix '" + options.suffix + "' has a '/' in it");
  }
}

/// Two inputs for one output, or an output where another needs a folder.
void check_collisions(const std::vector<WorkItem>& items) {
  std::unordered_map<std::string, const WorkItem*> outputs;
  for (const WorkItem& item : items) {
    const auto [other, is_new] = outputs.emplace(item.output.native(), &item);
    if (!is_new) {
      throw UsageError(other->second->name.string() + " and " + item.name.string() +
                           ": both would become " + item.output.string() + "; rename one",
                       ErrorCode::outputs_collide);
    }
  }
  for (const WorkItem& item : items) {
    for (fs::path parent = item.output.parent_path(); !parent.empty();
         parent = parent.parent_path()) {
      const auto other = outputs.find(parent.native());
      if (other != outputs.end()) {
        throw UsageError(other->second->name.string() + ": would become " + parent.string() +
                         ", where " + item.name.string() + " needs a folder; rename one");
      }
    }
  }
}

WorkList make_work_list(const fs::path& input_folder, const fs::path& output_folder,
                        std::vector<fs::path> names, const WorkListOptions& options) {
  std::sort(names.begin(), names.end(),
            [](const fs::path& a, const fs::path& b) { return a.native() < b.native(); });
  names.erase(std::unique(names.begin(), names.end()), names.end());
  WorkList work;
  work.input_folder = input_folder;
  work.output_folder = output_folder;
  work.shard = options.shard;
  for (fs::path& name : names) {
    fs::path output = output_name(name, options);
    if (input_folder.empty()) {
      output = output.filename();
    }
    work.items.push_back({std::move(name), std::move(output)});
  }
  // Before the shard's part is taken, so that all shards refuse alike.
  check_collisions(work.items);
  const auto taken = [&work](const WorkItem& item) { return accepts(work.shard, item.name); };
  const auto others = std::stable_partition(work.items.begin(), work.items.end(), taken);
  work.elsewhere.assign(others, work.items.end());
  work.items.erase(others, work.items.end());
  return work;
}

void check_folders(const fs::path& input_folder, const fs::path& output_folder,
                   const WorkListOptions& options) {
  check_options(options);
  std::error_code error;
  if (!fs::is_directory(input_folder, error)) {
    throw InputError(input_folder.string() + ": is no folder that can be read");
  }
  if (fs::equivalent(input_folder, output_folder, error)) {
    throw UsageError(output_folder.string() + ": is the input folder itself; name another output");
  }
}

bool leads_out(const fs::path& name) {
  return name.empty() || *name.begin() == ".." || name == ".";
}

/// Where a listed name lies below the input folder.
fs::path name_below(const fs::path& input_folder, const std::string& listed) {
  const fs::path given = fs::path(listed).lexically_normal();
  fs::path name = given;
  if (given.is_absolute()) {
    name = given.lexically_relative(fs::absolute(input_folder).lexically_normal());
    if (leads_out(name)) {  // a shell names a folder that it entered by a link after the link
      std::error_code error;
      const fs::path folder = fs::weakly_canonical(given.parent_path(), error);
      name = (folder / given.filename()).lexically_relative(fs::canonical(input_folder, error));
    }
  }
  if (leads_out(name)) {
    throw UsageError(listed + ": does not lie in the input folder " + input_folder.string());
  }
  return name;
}

std::string first_few(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < 3; ++i) {
    text += (i == 0 ? "" : ", ") + names[i];
  }
  return text + (names.size() > 3 ? ", ..." : "");
}

/// The nearest folder above `path` that exists must take new files.
void check_writable(const fs::path& output_folder) {
  std::error_code error;
  fs::path folder = fs::absolute(output_folder).lexically_normal();
  while (!fs::exists(fs::symlink_status(folder, error)) && folder.has_relative_path()) {
    folder = folder.parent_path();
  }
  if (!fs::is_directory(folder, error)) {
    throw InputError(output_folder.string() + ": cannot be written: " + folder.string() +
                     " is not a folder");
  }
  if (::access(folder.c_str(), W_OK | X_OK) != 0) {
    throw WriteError(output_folder, errno);
  }
}

}  // namespace

void check_format(const std::string& word) {
  if (!word.empty() && !is_format_word(word)) {
    const bool known = format_of_ending("." + word) != ImageFormat::unknown;
    throw UsageError(
        "the format '" + word + "' " +
        (known ? "cannot be written: " + why_not_written("." + word) : "is not known") + "; give " +
        list_of_formats());
  }
}

fs::path output_name(const fs::path& name, const WorkListOptions& options) {
  std::string ending = name.extension().string();
  if (!options.format.empty()) {
    ending = "." + options.format;
  } else if (!why_not_written(lower_case_extension(name)).empty()) {
    ending = ".png";
  }
  return name.parent_path() / (name.stem().string() + options.suffix + ending);
}

WorkList list_folder(const fs::path& input_folder, const fs::path& output_folder,
                     const WorkListOptions& options) {
  check_folders(input_folder, output_folder, options);
  Walk walk(options, input_folder, output_folder);
  walk.folder("");
  WorkList work = make_work_list(input_folder, output_folder, std::move(walk.names), options);
  work.unlisted = std::move(walk.unlisted);
  work.left_out = walk.left_out;
  return work;
}

WorkList list_names(const fs::path& input_folder, const std::vector<std::string>& listed,
                    const fs::path& output_folder, const WorkListOptions& options) {
  check_folders(input_folder, output_folder, options);
  std::vector<fs::path> names;
  names.reserve(listed.size());
  for (const std::string& name : listed) {
    names.push_back(name_below(input_folder, name));
  }
  return make_work_list(input_folder, output_folder, std::move(names), options);
}

WorkList list_files(const std::vector<fs::path>& files, const fs::path& output_folder,
                    const WorkListOptions& options) {
  check_options(options);
  return make_work_list({}, output_folder, files, options);
}

void check_names_without_case(const WorkList& work) {
  std::map<std::string, const WorkItem*> outputs;
  for (const auto* part : {&work.items, &work.elsewhere}) {
    for (const WorkItem& item : *part) {
      const auto [other, is_new] = outputs.emplace(lower_case(item.output.string()), &item);
      if (!is_new) {
        throw UsageError(other->second->name.string() + " and " + item.name.string() +
                         ": would become one file in " + work.output_folder.string() +
                         ", which does not tell capital letters from small ones; rename one");
      }
    }
  }
}

void check_outputs(const WorkList& work, Existing existing) {
  std::vector<std::string> there;
  std::set<FileIdentity> found;
  for (const WorkItem& item : work.items) {
    const fs::path output = work.output_folder / item.output;
    std::error_code error;
    if (fs::exists(fs::symlink_status(output, error))) {  // a link that leads nowhere too
      there.push_back(output.string());
      found.insert(identity_of(output));
    }
  }
  for (const WorkItem& item : work.items) {
    const FileIdentity input = identity_of(work.input_folder / item.name);
    if (input != FileIdentity{} && found.count(input) != 0) {
      throw UsageError((work.input_folder / item.name).string() +
                       ": an output would replace it; name another output folder");
    }
  }
  const bool unknown = !Journal::exists_in(work.output_folder);
  const bool refused = existing == Existing::refuse || (existing == Existing::resume && unknown);
  if (!there.empty() && refused) {
    throw UsageError(
        first_few(there) + ": " + std::to_string(there.size()) + " of " +
            std::to_string(work.items.size()) + " outputs exist already" +
            (unknown ? ", without a journal to resume by; name another output folder" : ""),
        unknown ? ErrorCode::outputs_exist_without_journal : ErrorCode::outputs_exist);
  }
  check_writable(work.output_folder);
}

}  // namespace srdiff
