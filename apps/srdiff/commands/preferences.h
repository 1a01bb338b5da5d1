#pragma once

#include <set>
#include <string>
#include <vector>

#include "srdiff/logging.h"

/// Where the options of a run come from: what is typed is meant for this very run, what stands in a
/// configuration file is a preference for all of them, which must keep none from being done.
struct OptionOrigins {
  std::string config;           ///< file of options, or empty
  std::set<std::string> typed;  ///< options that did not come from this file, as "--recursive"
  std::vector<std::string> left_out;  ///< settings of this file that were, of what would be made

  bool is_typed(const char* option) const { return typed.count(option) > 0; }

  /// Takes back what only the configuration says. Returns whether it said anything.
  template <typename Value>
  bool leave_out(const char* option, Value& value) const {
    if (value == Value{} || is_typed(option)) {
      return false;
    }
    value = Value{};
    return true;
  }

  /// The same of what would have been made, for tell_left_out.
  template <typename Value>
  void leave_out_aloud(const char* option, Value& value) {
    if (leave_out(option, value)) {
      left_out.emplace_back(option + 2);
    }
  }

  /// Says what was left out, when the rest of the arguments is known to be right.
  void tell_left_out() const {
    for (const std::string& setting : left_out) {
      srdiff::log::info("{}: {} does not fit here and is left out", config, setting);
    }
  }
};
