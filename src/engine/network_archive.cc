#include "engine/network_archive.h"

#include <caffe2/serialize/inline_container.h>
#include <torch/csrc/jit/runtime/operator.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/word_list.h"
#include "engine/memory_reader.h"
#include "engine/network_code.h"
#include "engine/network_limits.h"
#include "engine/network_pickle.h"
#include "engine/zip_directory.h"
#include "srdiff/error.h"

namespace srdiff {
namespace {

[[noreturn]] void refuse_archive(const std::string& why) {
  throw ModelError("its archive " + why);
}

bool begins_with(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

bool is_operator_of_libtorch(const std::string& name) {
  return !torch::jit::getAllOperatorsFor(c10::Symbol::aten(name)).empty();
}

/// Pickles, and the folders with the storages of their tensors.
constexpr auto pickles = word_list({"data", "constants"});

/// What is not read: extra files, and the shapes of a trace.
constexpr auto unread = word_list({"extra/", "traced_inputs/", "traced_inputs.pkl"});

constexpr std::string_view code_folder = "code/";
constexpr std::string_view code_ending = ".py";
constexpr std::string_view lines_ending = ".debug_pkl";

/// What LibTorch reads a word or a number of.
constexpr auto notes = word_list({"version", "byteorder", ".data/version", ".data/serialization_id",
                                  ".format_version", ".storage_alignment"});

/// The members of a network by what they are. Throws ModelError for a member of another kind, or
/// where limits are passed.
class NetworkMembers {
 public:
  explicit NetworkMembers(const std::vector<ZipMember>& members) {
    if (members.empty()) {
      refuse_archive("is empty");
    }
    const std::string root = members[0].name.substr(0, members[0].name.find('/')) + "/";
    for (const ZipMember& member : members) {
      // LibTorch's reader does not tell upper from lower case.
      if (!begins_with(member.name, root) || !names_.insert(member.name).second) {
        refuse_archive("has members of several roots, or one twice: " + member.name);
      }
      take(member, member.name.substr(root.size()));
    }
  }

  const std::vector<std::string>& code() const { return code_; }
  const std::vector<std::string>& lines() const { return lines_; }

  const StorageSizes* storages(std::string_view pickle) const {
    const auto found = storages_.find(std::string(pickle));
    return found == storages_.end() ? nullptr : &found->second;
  }
  bool has_pickle(std::string_view pickle) const {
    return names_of_pickles_.count(std::string(pickle)) != 0;
  }

 private:
  void take(const ZipMember& member, const std::string& name) {
    if (std::any_of(std::begin(unread), std::end(unread),
                    [&name](std::string_view start) { return begins_with(name, start); })) {
      return;
    }
    if (take_storage(member, name)) {
      return;
    }
    unpacked_ += member.unpacked_bytes;
    if (member.unpacked_bytes > max_text_bytes || unpacked_ > max_unpacked_bytes) {
      refuse_archive("has more code and pickles than a network may have: " + name);
    }
    const bool code = begins_with(name, code_folder);
    if (code && ends_with(name, code_ending)) {
      code_.push_back(name);
    } else if (code && ends_with(name, lines_ending)) {
      lines_.push_back(name);
    } else if (std::find(std::begin(notes), std::end(notes), name) == std::end(notes)) {
      take_pickle(name);
    }
  }

  /// "data/12": the values of a tensor, not compressed.
  bool take_storage(const ZipMember& member, const std::string& name) {
    const std::size_t slash = name.find('/');
    const std::string folder = name.substr(0, slash);
    if (slash == std::string::npos ||
        std::find(std::begin(pickles), std::end(pickles), folder) == std::end(pickles)) {
      return false;
    }
    if (!member.stored) {
      refuse_archive("has a compressed tensor: " + name);
    }
    const std::string key = name.substr(slash + 1);
    if (key.empty() || key.find_first_not_of("0123456789") != std::string::npos) {
      refuse_archive("has a tensor whose name is no number: " + name);
    }
    storages_[folder][key] = member.unpacked_bytes;
    return true;
  }

  void take_pickle(const std::string& name) {
    const std::string pickle = name.substr(0, name.rfind(".pkl"));
    if (name != pickle + ".pkl" ||
        std::find(std::begin(pickles), std::end(pickles), pickle) == std::end(pickles)) {
      refuse_archive("has a member that no network has: " + name);
    }
    names_of_pickles_.insert(pickle);
  }

  std::set<std::string> names_;
  std::set<std::string> names_of_pickles_;
  std::vector<std::string> code_;
  std::vector<std::string> lines_;
  std::map<std::string, StorageSizes> storages_;
  std::uint64_t unpacked_ = 0;
};

/// The members' content, as LibTorch itself will unpack it.
class MemberContents {
 public:
  explicit MemberContents(std::string_view bytes)
      : reader_(std::make_shared<MemoryReader>(bytes)) {}

  /// Calls check(content), whose errors get the member's name.
  template <typename Check>
  void look_at(const std::string& name, Check check) {
    const auto [bytes, size] = reader_.getRecord(name);
    try {
      check(std::string_view(static_cast<const char*>(bytes.get()), size));
    } catch (const ModelError& error) {
      throw ModelError(std::string(error.what()) + " (" + name + ")");
    }
  }

 private:
  caffe2::serialize::PyTorchStreamReader reader_;
};

/// "__torch__.torch.nn.functional" of "code/__torch__/torch/nn/functional.py".
std::string module_of(const std::string& member) {
  std::string module =
      member.substr(code_folder.size(), member.size() - code_folder.size() - code_ending.size());
  std::replace(module.begin(), module.end(), '/', '.');
  return module;
}

void check_members(const std::vector<ZipMember>& directory, std::string_view bytes) {
  const NetworkMembers members(directory);
  MemberContents contents(bytes);
  CodeReferences references;
  for (const std::string& name : members.code()) {
    contents.look_at(name, [&](std::string_view code) {
      check_network_code(code, module_of(name), is_operator_of_libtorch, references);
    });
  }
  check_import_depth(references);
  const StorageSizes none;
  for (const std::string& name : members.lines()) {
    contents.look_at(name, [&](std::string_view pickle) { check_network_pickle(pickle, none); });
  }
  for (const std::string_view pickle : pickles) {
    if (members.has_pickle(pickle)) {
      const StorageSizes* const storages = members.storages(pickle);
      contents.look_at(std::string(pickle) + ".pkl", [&](std::string_view content) {
        check_network_pickle(content, storages != nullptr ? *storages : none);
      });
    }
  }
}

}  // namespace

void check_network_archive(std::string_view bytes) {
  const std::vector<ZipMember> directory = read_zip_directory(bytes);
  try {
    check_members(directory, bytes);
  } catch (const ModelError& error) {
    throw ModelError(error.what(), ErrorCode::network_not_trusted);
  }
}

}  // namespace srdiff
