#include "engine/pickle_values.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "base/word_list.h"
#include "srdiff/error.h"

namespace srdiff {
namespace {

using PickleKind = PickleValue::Kind;

struct StorageType {
  std::string_view name;
  std::int64_t bytes;
};
constexpr std::array<StorageType, 10> storage_types = {{{"torch BFloat16Storage", 2},
                                                        {"torch BoolStorage", 1},
                                                        {"torch ByteStorage", 1},
                                                        {"torch CharStorage", 1},
                                                        {"torch DoubleStorage", 8},
                                                        {"torch FloatStorage", 4},
                                                        {"torch HalfStorage", 2},
                                                        {"torch IntStorage", 4},
                                                        {"torch LongStorage", 8},
                                                        {"torch ShortStorage", 2}}};

constexpr auto known_globals =
    word_list({"collections OrderedDict", "torch device", "torch._utils _rebuild_tensor_v2",
               "torch.jit._pickle build_boollist", "torch.jit._pickle build_doublelist",
               "torch.jit._pickle build_intlist", "torch.jit._pickle build_tensorlist",
               "torch.jit._pickle restore_type_tag"});

constexpr std::int64_t max_side = std::int64_t{1} << 40;
constexpr std::size_t max_dimensions = 64;
constexpr int max_type_depth = 32;
constexpr std::size_t max_type_text = 4096;

const StorageType* storage_type(std::string_view name) {
  const auto* const found =
      std::find_if(std::begin(storage_types), std::end(storage_types),
                   [name](const StorageType& type) { return type.name == name; });
  return found == std::end(storage_types) ? nullptr : &*found;
}

std::int64_t integer_of(const PickleItem& value) {
  if (value->kind != PickleKind::integer) {
    refuse_pickle("has something else in the place of a number");
  }
  return value->integer;
}

}  // namespace

void refuse_pickle(const std::string& why) {
  throw ModelError("its data " + why);
}

bool is_known_global(const std::string& name) {
  return std::find(std::begin(known_globals), std::end(known_globals), name) !=
             std::end(known_globals) ||
         storage_type(name) != nullptr || is_class_of_network(name);
}

bool is_class_of_network(std::string_view global) {
  const auto begins = [global](std::string_view start) {
    return global.substr(0, start.size()) == start;
  };
  // LibTorch's own are "__torch__.torch.classes.NAMESPACE CLASS".
  return begins("__torch__") && !begins("__torch__.torch classes") &&
         !begins("__torch__.torch.classes");
}

std::int64_t storage_elements(const PickleValue& id, const StorageSizes& storages) {
  const std::vector<PickleItem>& parts = id.items;
  if (id.kind != PickleKind::tuple || parts.size() != 5 || parts[0]->kind != PickleKind::text ||
      parts[0]->text != "storage" || parts[1]->kind != PickleKind::global ||
      parts[2]->kind != PickleKind::text || parts[3]->kind != PickleKind::text) {
    refuse_pickle("has a storage that LibTorch does not write");
  }
  const StorageType* const type = storage_type(parts[1]->text);
  const std::int64_t elements = integer_of(parts[4]);
  const auto member = storages.find(parts[2]->text);
  if (type == nullptr || elements < 0 || (elements > 0 && member == storages.end())) {
    refuse_pickle("has a storage that is not there");
  }
  if (elements > 0 && elements > static_cast<std::int64_t>(member->second) / type->bytes) {
    refuse_pickle("has a storage larger than its member " + parts[2]->text);
  }
  return elements;
}

void check_tensor(const std::vector<PickleItem>& parts) {
  const bool complete =
      parts.size() >= 6 && parts.size() <= 7 && parts[0]->kind == PickleKind::storage &&
      parts[2]->kind == PickleKind::tuple && parts[3]->kind == PickleKind::tuple &&
      parts[4]->kind == PickleKind::boolean && parts[2]->items.size() == parts[3]->items.size() &&
      parts[2]->items.size() <= max_dimensions;
  if (!complete) {
    refuse_pickle("has a tensor that LibTorch does not write");
  }
  const std::int64_t elements = parts[0]->integer;
  std::int64_t last = integer_of(parts[1]);  // the element furthest behind
  std::int64_t left = elements;              // by division: a product could overflow
  bool empty = false;
  bool possible = last >= 0;
  for (std::size_t i = 0; i < parts[2]->items.size(); ++i) {
    const std::int64_t size = integer_of(parts[2]->items[i]);
    const std::int64_t stride = integer_of(parts[3]->items[i]);
    possible = possible && size >= 0 && stride >= 0 && size <= max_side && stride <= max_side;
    if (!possible) {
      break;
    }
    empty = empty || size == 0;
    if (size > 1 && last <= elements) {
      last = stride > 0 && size - 1 > elements / stride ? elements : last + (size - 1) * stride;
    }
    left = size > 0 ? left / size : left;
  }
  if (!possible) {
    refuse_pickle("has a tensor of an impossible size");
  }
  if (!empty && (left < 1 || last >= elements)) {
    refuse_pickle("has a tensor larger than its storage");
  }
}

void check_type_text(std::string_view text) {
  int depth = 0;
  for (const char c : text) {
    depth += c == '[' || c == '(' ? 1 : c == ']' || c == ')' ? -1 : 0;
    if (depth > max_type_depth) {
      refuse_pickle("has a type nested deeper than " + std::to_string(max_type_depth));
    }
  }
  if (text.size() > max_type_text || text.find("torch.classes") != std::string_view::npos) {
    refuse_pickle("has a type that LibTorch does not write");
  }
}

}  // namespace srdiff
