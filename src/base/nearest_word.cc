#include "base/nearest_word.h"

#include <algorithm>
#include <cstddef>

namespace srdiff {
namespace {

/// The fewest changes of letters from one word to another (optimal string alignment distance).
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::vector<std::size_t>> steps(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        steps[i][j] = i + j;
        continue;
      }
      const std::size_t changed = steps[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      steps[i][j] = std::min({changed, steps[i - 1][j] + 1, steps[i][j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        steps[i][j] = std::min(steps[i][j], steps[i - 2][j - 2] + 1);
      }
    }
  }
  return steps[a.size()][b.size()];
}

}  // namespace

std::string nearest_word(const std::string& typed, const std::vector<std::string>& words) {
  constexpr std::size_t most_changes = 2;
  std::string nearest;
  std::size_t fewest = most_changes + 1;
  for (const std::string& word : words) {
    const std::size_t changes = distance(typed, word);
    if (changes < fewest && 2 * changes < word.size()) {
      nearest = word;
      fewest = changes;
    }
  }
  return nearest;
}

std::string nearest_hint(const std::string& typed, const std::vector<std::string>& words) {
  const std::string nearest = nearest_word(typed, words);
  return nearest.empty() ? "" : "; the nearest is " + nearest;
}

}  // namespace srdiff
