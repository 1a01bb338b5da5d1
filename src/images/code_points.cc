#include "images/code_points.h"

namespace srdiff {
namespace {

constexpr unsigned srgb_primaries = 1;
constexpr unsigned srgb_transfer = 13;
constexpr unsigned unspecified = 2;

}  // namespace

std::string code_points(unsigned primaries, unsigned transfer) {
  const bool as_srgb = (primaries == srgb_primaries || primaries == unspecified) &&
                       (transfer == srgb_transfer || transfer == unspecified);
  const bool fit = primaries > 0 && primaries < 256 && transfer > 0 && transfer < 256;
  if (as_srgb || !fit) {
    return {};
  }
  return {static_cast<char>(primaries), static_cast<char>(transfer), '\0', '\x01'};
}

bool are_srgb(const std::string& code_points) {
  return code_points.empty() || (code_points[0] == static_cast<char>(srgb_primaries) &&
                                 code_points[1] == static_cast<char>(srgb_transfer));
}

}  // namespace srdiff
