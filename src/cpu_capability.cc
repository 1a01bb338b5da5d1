#include "cpu_capability.h"

#include <ATen/Version.h>

#include <sstream>

namespace srdiff {

std::string cpu_capability() {
  // LibTorch 1.13 tells it within a description of its build alone.
  const std::string key = "CPU capability usage: ";
  std::istringstream lines(at::show_config());
  for (std::string line; std::getline(lines, line);) {
    const std::size_t found = line.find(key);
    if (found != std::string::npos) {
      return line.substr(found + key.size());
    }
  }
  return "unknown";
}

}  // namespace srdiff
