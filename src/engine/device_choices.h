#pragma once

#include <string>
#include <vector>

namespace srdiff {

/// The words that parse_device takes, but for a device by its number.
std::vector<std::string> device_choices();

/// The words that parse_precision takes.
std::vector<std::string> precision_choices();

}  // namespace srdiff
