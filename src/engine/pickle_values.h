#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/network_pickle.h"

namespace srdiff {

/// What the reader of a pickle would have on its stack.
struct PickleValue {
  enum class Kind {
    none,
    boolean,
    integer,
    real,
    text,
    tuple,
    list,
    dict,
    global,
    object,
    storage,
    tensor,
    other
  };
  Kind kind = Kind::none;
  std::int64_t integer = 0;                         ///< of a number; of a storage, its elements
  std::string text;                                 ///< of a text; of a global, "module name"
  std::vector<std::shared_ptr<PickleValue>> items;  ///< of a tuple
  int depth = 1;
  std::int64_t size = 1;  ///< values in it, each as often as it is reached
  bool open = false;      ///< a container or an object that has not got its content yet
};
using PickleItem = std::shared_ptr<PickleValue>;

/// Throws the ModelError of a pickle that is not followed any further.
[[noreturn]] void refuse_pickle(const std::string& why);

/// Whether a global, "module name", is one that LibTorch writes for a network.
bool is_known_global(const std::string& name);

/// Whether a global is a class of the archive's own.
bool is_class_of_network(std::string_view global);

/// The elements of the storage that a persistent id, ("storage", type, key, device, elements),
/// names. Throws ModelError where it is no such id, or its member does not hold as many.
std::int64_t storage_elements(const PickleValue& id, const StorageSizes& storages);

/// Throws ModelError unless these, (storage, offset, sizes, strides, requires_grad, hooks), make a
/// tensor that lies within its storage.
void check_tensor(const std::vector<PickleItem>& parts);

/// Throws ModelError for a type's text that LibTorch's parser, which calls itself, may not take.
void check_type_text(std::string_view text);

}  // namespace srdiff
