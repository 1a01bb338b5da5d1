#include "engine/network_pickle.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

#include "engine/network_limits.h"
#include "engine/pickle_values.h"

namespace srdiff {
namespace {

using PickleKind = PickleValue::Kind;

constexpr std::int64_t max_values = 10'000'000;

bool text_starts(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}

class PickleReader {
 public:
  PickleReader(std::string_view bytes, const StorageSizes& storages)
      : bytes_(bytes), storages_(storages) {}

  void read() {
    while (!step(static_cast<unsigned char>(take(1)[0]))) {
    }
    if (stack_.size() != 1 || !marks_.empty()) {
      refuse_pickle("leaves values over");
    }
    value_of(stack_.back());
  }

 private:
  std::string_view take(std::uint64_t count) {
    if (count > bytes_.size() - at_) {
      refuse_pickle("is cut short");
    }
    const std::string_view taken = bytes_.substr(at_, count);
    at_ += count;
    return taken;
  }

  std::uint64_t number(int count) {
    const std::string_view taken = take(static_cast<std::uint64_t>(count));
    std::uint64_t value = 0;
    for (int i = count - 1; i >= 0; --i) {
      value = value << 8 | static_cast<unsigned char>(taken[static_cast<std::size_t>(i)]);
    }
    return value;
  }

  std::string_view line() {
    const std::size_t end = bytes_.find('\n', at_);
    if (end == std::string_view::npos) {
      refuse_pickle("is cut short");
    }
    const std::string_view text = take(end - at_);
    take(1);
    return text;
  }

  static PickleItem make(PickleKind kind, std::int64_t integer = 0, std::string_view text = {}) {
    auto value = std::make_shared<PickleValue>();
    value->kind = kind;
    value->integer = integer;
    value->text = std::string(text);
    return value;
  }

  void push(PickleItem value) { stack_.push_back(std::move(value)); }

  PickleItem pop() {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) {
      refuse_pickle("takes a value that is not there");
    }
    PickleItem value = std::move(stack_.back());
    stack_.pop_back();
    return value;
  }

  PickleItem& top() {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) {
      refuse_pickle("takes a value that is not there");
    }
    return stack_.back();
  }

  /// A value that may become part of another.
  static const PickleItem& value_of(const PickleItem& value) {
    if (value->open) {
      refuse_pickle("has a container that holds itself");
    }
    return value;
  }

  /// Counts `part` into `whole`.
  static void add(PickleValue& whole, const PickleItem& part) {
    value_of(part);
    whole.depth = std::max(whole.depth, part->depth + 1);
    whole.size += part->size;
    if (whole.depth > max_depth || whole.size > max_values) {
      refuse_pickle("has values nested deeper than " + std::to_string(max_depth) + ", or too many");
    }
  }

  std::vector<PickleItem> pop_marked() {
    if (marks_.empty()) {
      refuse_pickle("takes values that are not there");
    }
    const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<PickleItem> values(std::make_move_iterator(first),
                                   std::make_move_iterator(stack_.end()));
    stack_.erase(first, stack_.end());
    marks_.pop_back();
    return values;
  }

  void push_tuple(std::vector<PickleItem> items) {
    PickleItem tuple = make(PickleKind::tuple);
    for (const PickleItem& item : items) {
      add(*tuple, item);
    }
    tuple->items = std::move(items);
    push(std::move(tuple));
  }

  void push_tuple_of(int count) {
    std::vector<PickleItem> items(static_cast<std::size_t>(count));
    for (auto item = items.rbegin(); item != items.rend(); ++item) {
      *item = pop();
    }
    push_tuple(std::move(items));
  }

  void fill(PickleKind kind, const std::vector<PickleItem>& items) {
    PickleValue& container = *top();
    if (container.kind != kind || !container.open ||
        (kind == PickleKind::dict && items.size() % 2 != 0)) {
      refuse_pickle("fills what is no new container");
    }
    for (std::size_t i = 0; i < items.size(); ++i) {
      const PickleKind key = items[i]->kind;
      if (kind == PickleKind::dict && i % 2 == 0 && key != PickleKind::text &&
          key != PickleKind::integer && key != PickleKind::real && key != PickleKind::boolean) {
        refuse_pickle("has a key that is no text and no number");
      }
      add(container, items[i]);
    }
    container.open = false;
  }

  void remember(std::uint64_t place) {
    // A reader may keep a table of all numbers below this one.
    if (place > bytes_.size() || place > memo_.size()) {
      refuse_pickle("remembers a value out of turn");
    }
    if (place == memo_.size()) {
      memo_.emplace_back();
    }
    memo_[place] = top();
  }

  void recall(std::uint64_t place) {
    if (place >= memo_.size()) {
      refuse_pickle("recalls a value that it does not have");
    }
    push(value_of(memo_[place]));
  }

  void global() {
    const std::string module(line());
    const std::string name = module + " " + std::string(line());
    if (!is_known_global(name)) {
      refuse_pickle("names " + name + ", which LibTorch does not write for a network");
    }
    push(make(PickleKind::global, 0, name));
  }

  void storage() { push(make(PickleKind::storage, storage_elements(*pop(), storages_))); }

  void tensor(const std::vector<PickleItem>& parts) {
    check_tensor(parts);
    push(make(PickleKind::tensor));
  }

  void call() {
    const PickleItem arguments = pop();
    const PickleItem callee = pop();
    if (callee->kind != PickleKind::global || arguments->kind != PickleKind::tuple) {
      refuse_pickle("calls what is no function");
    }
    const std::vector<PickleItem>& parts = arguments->items;
    const std::string& name = callee->text;
    if (name == "torch._utils _rebuild_tensor_v2") {
      tensor(parts);
    } else if (name == "collections OrderedDict") {
      push(make(PickleKind::dict));
    } else if (name == "torch device") {
      if (parts.size() != 1 || parts[0]->kind != PickleKind::text || parts[0]->text.size() > 16) {
        refuse_pickle("has a device that LibTorch does not write");
      }
      push(make(PickleKind::other));
    } else if (text_starts(name, "torch.jit._pickle build_")) {
      if (parts.size() != 1 || parts[0]->kind != PickleKind::list) {
        refuse_pickle("has a list that LibTorch does not write");
      }
      push(parts[0]);
    } else if (name == "torch.jit._pickle restore_type_tag") {
      if (parts.size() != 2 || parts[1]->kind != PickleKind::text) {
        refuse_pickle("has a type that LibTorch does not write");
      }
      check_type_text(parts[1]->text);
      push(parts[0]);
    } else {
      refuse_pickle("calls " + name);
    }
  }

  void new_object() {
    const PickleItem arguments = pop();
    const PickleItem type = pop();
    if (type->kind != PickleKind::global || !is_class_of_network(type->text) ||
        arguments->kind != PickleKind::tuple || !arguments->items.empty()) {
      refuse_pickle("makes an object of no class");
    }
    const PickleItem object = make(PickleKind::object);
    object->open = true;
    push(object);
  }

  void build() {
    const PickleItem state = pop();
    PickleValue& object = *top();
    if (object.kind != PickleKind::object || !object.open || state->kind != PickleKind::dict) {
      refuse_pickle("gives a state to what is no new object");
    }
    add(object, state);
    object.open = false;
  }

  PickleItem open(PickleKind kind) {
    PickleItem container = make(kind);
    container->open = true;
    return container;
  }

  /// Whether the pickle ends.
  bool step(unsigned char instruction) {
    if (instruction == '.') {  // STOP
      return true;
    }
    if (!push_value(instruction) && !use_stack(instruction) && !make_object(instruction)) {
      refuse_pickle("has the instruction " + std::to_string(instruction) +
                    ", which LibTorch does not write");
    }
    return false;
  }

  /// False for an instruction that pushes no value of its own.
  bool push_value(unsigned char instruction) {
    switch (instruction) {
      case 'N':
        push(make(PickleKind::none));
        break;
      case 0x88:  // NEWTRUE
      case 0x89:  // NEWFALSE
        push(make(PickleKind::boolean, instruction == 0x88 ? 1 : 0));
        break;
      case 'K':  // BININT1
        push(make(PickleKind::integer, static_cast<std::int64_t>(number(1))));
        break;
      case 'M':  // BININT2
        push(make(PickleKind::integer, static_cast<std::int64_t>(number(2))));
        break;
      case 'J':  // BININT
        push(make(PickleKind::integer, static_cast<std::int32_t>(number(4))));
        break;
      case 0x8a:  // LONG1
        long_integer();
        break;
      case 'G':  // BINFLOAT
        take(8);
        push(make(PickleKind::real));
        break;
      case 'X':  // BINUNICODE
        push(make(PickleKind::text, 0, take(number(4))));
        break;
      default:
        return false;
    }
    return true;
  }

  /// False for an instruction that has nothing to do with marks, memory, tuples, lists and dicts.
  bool use_stack(unsigned char instruction) {
    switch (instruction) {
      case '(':  // MARK
        marks_.push_back(stack_.size());
        if (marks_.size() > static_cast<std::size_t>(max_depth)) {
          refuse_pickle("has values nested deeper than " + std::to_string(max_depth));
        }
        break;
      case 'q':  // BINPUT
        remember(number(1));
        break;
      case 'r':  // LONG_BINPUT
        remember(number(4));
        break;
      case 'h':  // BINGET
        recall(number(1));
        break;
      case 'j':  // LONG_BINGET
        recall(number(4));
        break;
      case ')':  // EMPTY_TUPLE
        push_tuple({});
        break;
      case 't':  // TUPLE
        push_tuple(pop_marked());
        break;
      case 0x85:  // TUPLE1
      case 0x86:  // TUPLE2
      case 0x87:  // TUPLE3
        push_tuple_of(instruction - 0x84);
        break;
      case ']':  // EMPTY_LIST
        push(open(PickleKind::list));
        break;
      case '}':  // EMPTY_DICT
        push(open(PickleKind::dict));
        break;
      case 'e':  // APPENDS
        fill(PickleKind::list, pop_marked());
        break;
      case 'u':  // SETITEMS
        fill(PickleKind::dict, pop_marked());
        break;
      default:
        return false;
    }
    return true;
  }

  /// False for an instruction that makes or fills no object.
  bool make_object(unsigned char instruction) {
    switch (instruction) {
      case 0x80:  // PROTO
        if (number(1) != 2) {
          refuse_pickle("is not of the kind that LibTorch writes");
        }
        break;
      case 'c':  // GLOBAL
        global();
        break;
      case 'Q':  // BINPERSID
        storage();
        break;
      case 'R':  // REDUCE
        call();
        break;
      case 0x81:  // NEWOBJ
        new_object();
        break;
      case 'b':  // BUILD
        build();
        break;
      default:
        return false;
    }
    return true;
  }

  /// LibTorch writes numbers beyond 32 bits with 8 bytes.
  void long_integer() {
    if (number(1) != 8) {
      refuse_pickle("has a number that LibTorch does not write");
    }
    push(make(PickleKind::integer, static_cast<std::int64_t>(number(8))));
  }

  std::string_view bytes_;
  const StorageSizes& storages_;
  std::size_t at_ = 0;
  std::vector<PickleItem> stack_;
  std::vector<std::size_t> marks_;  // heights of the stack
  std::vector<PickleItem> memo_;
};

}  // namespace

void check_network_pickle(std::string_view pickle, const StorageSizes& storages) {
  PickleReader(pickle, storages).read();
}

}  // namespace srdiff
