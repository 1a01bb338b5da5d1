#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <utility>
#include <vector>

namespace srdiff {

/// Gathers values of one kind until there are enough of them to go together.
template <typename Kind, typename Value>
class Gathering {
 public:
  using Group = std::vector<Value>;

  /// Holds at most so many values and bytes: many kinds must not gather without end.
  Gathering(std::size_t max_values, std::size_t max_bytes)
      : max_values_(max_values), max_bytes_(max_bytes) {}

  /// `enough`: values of this kind that go together. Returns a group that is due, or nothing.
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

  /// The most values of one kind that wait; nothing at the end.
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
