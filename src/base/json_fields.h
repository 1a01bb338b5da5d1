#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/json_text.h"
#include "srdiff/error.h"

namespace srdiff {

/// Reads fields of one JSON object. Throws ModelError naming the field that is missing, of the
/// wrong type or out of range.
class JsonFields {
 public:
  JsonFields(const nlohmann::json& object, std::string where)
      : object_(object), where_(std::move(where)) {
    if (!object_.is_object()) {
      throw ModelError(where_ + ": must be a JSON object");
    }
  }

  template <typename Value>
  Value required(const char* key) const {
    if (!object_.contains(key)) {
      throw ModelError(where_ + ": the field '" + key + "' is missing");
    }
    return convert<Value>(key);
  }

  template <typename Value>
  Value optional(const char* key, Value fallback) const {
    return object_.contains(key) ? convert<Value>(key) : fallback;
  }

  /// Leaves a value as it is where the field is absent or null.
  template <typename Value>
  void override(const char* key, Value& value) const {
    if (has(key)) {
      value = required<Value>(key);
    }
  }

  template <typename Value>
  void override(const char* key, std::optional<Value>& value) const {
    if (has(key)) {
      value = required<Value>(key);
    }
  }

  bool has(const char* key) const { return object_.contains(key) && !object_.at(key).is_null(); }

  JsonFields object(const char* key) const {
    return {object_.value(key, nlohmann::json()), where_ + ": " + key};
  }

  /// The objects of a list.
  std::vector<JsonFields> objects(const char* key) const {
    std::vector<JsonFields> list;
    for (const auto& element : required<std::vector<nlohmann::json>>(key)) {
      list.emplace_back(element, where_ + ": " + key);
    }
    return list;
  }

  /// Throws if the object has other fields than these: a misspelt field would be ignored.
  void allow(const std::vector<std::string>& keys) const {
    for (const auto& item : object_.items()) {
      if (std::find(keys.begin(), keys.end(), item.key()) == keys.end()) {
        throw ModelError(where_ + ": the field '" + item.key() + "' is not known");
      }
    }
  }

  /// Requires a field to lie in [low, high].
  template <typename Value>
  Value in_range(const char* key, Value low, Value high) const {
    const auto value = required<Value>(key);
    if (!(value >= low && value <= high)) {
      std::ostringstream text;
      text << where_ << ": '" << key << "' is " << value << ", outside " << low << " to " << high;
      throw ModelError(text.str());
    }
    return value;
  }

  /// Throws unless a field has this value, the only one that this version can run.
  template <typename Value>
  void expect(const char* key, const Value& value) const {
    if (required<Value>(key) != value) {
      throw ModelError(where_ + ": '" + key + "' is not " + nlohmann::json(value).dump() +
                       ", which is all that this version of srdiff runs");
    }
  }

 private:
  template <typename Value>
  Value convert(const char* key) const {
    const nlohmann::json& value = object_.at(key);
    if constexpr (std::is_integral_v<Value> && !std::is_same_v<Value, bool>) {
      if (value.is_number() && !whole_number<Value>(value)) {
        throw ModelError(where_ + ": the field '" + key + "' is no whole number in range");
      }
    }
    try {
      return value.get<Value>();
    } catch (const nlohmann::json::exception&) {
      throw ModelError(where_ + ": the field '" + key + "' has the wrong type");
    }
  }

  nlohmann::json object_;
  std::string where_;
};

}  // namespace srdiff
