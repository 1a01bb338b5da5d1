#include "pipeline/settings_json.h"

#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "pipeline/output_size.h"
#include "pipeline/setting_list.h"

namespace srdiff {
namespace {

using nlohmann::ordered_json;

template <typename Option>
struct WithoutOptional {
  using Type = Option;
};
template <typename Value>
struct WithoutOptional<std::optional<Value>> {
  using Type = Value;
};

/// Reads an option where the object has it.
template <typename Option>
void read_option(const JsonFields& fields, const char* key, Option& option) {
  using Value = typename WithoutOptional<Option>::Type;
  if constexpr (std::is_enum_v<Value>) {
    if (fields.has(key)) {
      option = parse_word<Value>(fields.required<std::string>(key));
    }
  } else {
    fields.override(key, option);
  }
}

template <typename Value>
ordered_json value_json(const Value& value) {
  if constexpr (std::is_enum_v<Value>) {
    return to_string(value);
  } else {
    return value;
  }
}

template <typename Value>
void write_option(ordered_json& json, const char* key, const Value& value) {
  json[key] = value_json(value);
}

template <typename Value>
void write_option(ordered_json& json, const char* key, const std::optional<Value>& value) {
  if (value) {
    json[key] = value_json(*value);
  }
}

}  // namespace

ordered_json to_json(const UpscaleSettings& settings) {
  UpscaleSettings taken = settings;
  ordered_json json = ordered_json::object();
  for_each_setting([&](const auto& setting) {
    if (setting.in_journal) {
      write_option(json, setting.name, setting.value(taken));
    }
  });
  if (names_size(settings)) {
    json.erase("scale");
  }
  if (settings.tile.fitted) {
    const std::int64_t side = settings.tile.size;
    json["tile"] = {{"pixels", side * side}, {"overlap", settings.tile.overlap}};
  } else if (settings.tile.size > 0) {
    json["tile"] = {{"size", settings.tile.size}, {"overlap", settings.tile.overlap}};
  }
  return json;
}

void override_options(const JsonFields& fields, UpscaleOptions& options,
                      std::initializer_list<const char*> others) {
  std::vector<std::string> known(others.begin(), others.end());
  for_each_setting([&](const auto& setting) {
    if (setting.in_figures) {
      known.emplace_back(setting.name);
      read_option(fields, setting.name, options.*setting.option);
    }
  });
  fields.allow(known);
}

ordered_json options_json(const UpscaleOptions& options) {
  ordered_json json = ordered_json::object();
  for_each_setting([&](const auto& setting) {
    if (setting.in_figures) {
      write_option(json, setting.name, options.*setting.option);
    }
  });
  return json;
}

}  // namespace srdiff
