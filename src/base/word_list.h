#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace srdiff {

/// The words as a constant array that is as long as there are words.
template <std::size_t Count>
constexpr std::array<std::string_view, Count> word_list(
    const std::string_view (&words)[Count]) {  // NOLINT(modernize-avoid-c-arrays): it counts them
  std::array<std::string_view, Count> list{};
  for (std::size_t i = 0; i < Count; ++i) {
    list[i] = words[i];
  }
  return list;
}

}  // namespace srdiff
