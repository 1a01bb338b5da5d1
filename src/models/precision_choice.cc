#include "models/precision_choice.h"

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "base/atomic_file.h"
#include "base/file_io.h"
#include "base/json_text.h"
#include "srdiff/device.h"
#include "srdiff/error.h"
#include "srdiff/logging.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;

/// A machine has few models and settings; more entries are left-overs of earlier builds.
constexpr std::size_t most_choices = 200;

/// The entries of a file; none where it holds anything but words by names.
std::map<std::string, std::string> words_in(const fs::path& file) {
  std::error_code error;
  if (file.empty() || !fs::is_regular_file(file, error)) {
    return {};
  }
  try {
    constexpr std::int64_t most_bytes = std::int64_t{1} << 20;
    auto words = parse_json(read_file(file, most_bytes)).get<std::map<std::string, std::string>>();
    return words.size() < most_choices ? std::move(words) : std::map<std::string, std::string>();
  } catch (const nlohmann::json::exception&) {
    return {};
  } catch (const Error&) {
    return {};
  }
}

}  // namespace

double share_of_time(const std::function<void()>& candidate, const std::function<void()>& usual,
                     const std::function<double()>& now) {
  constexpr int most_turns = 5;
  constexpr double far_apart = 1.25;
  const std::array<const std::function<void()>*, 2> works = {&candidate, &usual};
  std::array<double, 2> shortest = {std::numeric_limits<double>::infinity(),
                                    std::numeric_limits<double>::infinity()};
  candidate();
  usual();
  double share = 1.0;
  for (int turn = 0; turn < most_turns; ++turn) {
    for (std::size_t i = 0; i < works.size(); ++i) {
      const double start = now();
      (*works[i])();
      shortest[i] = std::min(shortest[i], now() - start);
    }
    share = shortest[1] > 0.0 ? shortest[0] / shortest[1] : 1.0;
    if (turn > 0 && (share > far_apart || share < 1.0 / far_apart)) {
      break;
    }
  }
  return share;
}

PrecisionChoices::PrecisionChoices(fs::path file) : file_(std::move(file)) {
  words_ = words_in(file_);
}

std::optional<c10::ScalarType> PrecisionChoices::find(const std::string& circumstances) const {
  const auto word = words_.find(circumstances);
  if (word == words_.end()) {
    return std::nullopt;
  }
  try {
    return parse_precision(word->second);
  } catch (const UsageError&) {
    return std::nullopt;
  }
}

void PrecisionChoices::remember(const std::string& circumstances, c10::ScalarType precision) {
  words_ = words_in(file_);  // another run may have added to it
  words_[circumstances] = to_string(precision);
  if (file_.empty()) {
    return;
  }
  std::error_code error;
  fs::create_directories(file_.parent_path(), error);
  try {
    AtomicFile file(file_);
    file.write(nlohmann::json(words_).dump(2) + "\n");
    file.rename_to_target();
  } catch (const WriteError& failure) {
    log::debug("the chosen precision is not kept: {}", failure.what());
  }
}

}  // namespace srdiff
