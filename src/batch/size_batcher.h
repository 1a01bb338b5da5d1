#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <utility>
#include <vector>

namespace srdiff {

/// Collects values, pictures for instance, until enough of one kind, such as of one size, are there
/// to be computed together.
template <typename Kind, typename Value>
class SizeBatcher {
 public:
  using Group = std::vector<Value>;

  /// At most so many values and bytes wait: without a bound, many kinds would fill the memory.
  SizeBatcher(std::size_t max_values, std::size_t max_bytes)
      : max_values_(max_values), max_bytes_(max_bytes) {}

  /// Adds a value. `enough` values of this kind are a full group, which is returned; so is the
  /// largest group where too much waits. Otherwise the result is empty.
  Group add(const Kind& kind, Value value, std::size_t bytes, std::size_t enough) {
    Waiting& waiting = groups_[kind];
    waiting.values.push_back(std::move(value));
    waiting.bytes += bytes;
    ++values_;
    bytes_ += bytes;
    if (waiting.values.size() >= enough) {
      return take(groups_.find(kind));
    }
    return values_ >= max_values_ || bytes_ >= max_bytes_ ? take_largest() : Group();
  }

  /// The kind of which most values wait; an empty group once no value waits any more.
  Group take_largest() {
    const auto fewer = [](const auto& a, const auto& b) {
      return a.second.values.size() < b.second.values.size();
    };
    const auto largest = std::max_element(groups_.begin(), groups_.end(), fewer);
    return largest == groups_.end() ? Group() : take(largest);
  }

 private:
  struct Waiting {
    Group values;
    std::size_t bytes = 0;
  };
  using Groups = std::map<Kind, Waiting>;

  Group take(typename Groups::iterator group) {
    Waiting waiting = std::move(group->second);
    groups_.erase(group);
    values_ -= waiting.values.size();
    bytes_ -= waiting.bytes;
    return std::move(waiting.values);
  }

  std::size_t max_values_;
  std::size_t max_bytes_;
  Groups groups_;
  std::size_t values_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace srdiff
