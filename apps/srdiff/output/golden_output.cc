#include "output/golden_output.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <ostream>

#include "srdiff/device.h"
#include "srdiff/error.h"
#include "srdiff/logging.h"

using nlohmann::ordered_json;
using srdiff::Verdict;

namespace {

const char* word(const Verdict& verdict) {
  return verdict.passed ? "ok" : "MISSED";
}

constexpr const char* lpips_fingerprint = "lpips fingerprint";

/// Throws where the golden file names another hash than the manifest's.
template <typename Manifest>
void check_fingerprint(const std::string& path, const srdiff::Golden& golden, const char* key,
                       const char* what, const Manifest& manifest) {
  const auto made_with = golden.made_with.find(key);
  if (made_with != golden.made_with.end() && made_with->second != fingerprint(manifest)) {
    throw srdiff::InputError(path + ": its figures are of another " + what + " than this " +
                             manifest.name + "; get that one, or use --update-golden");
  }
}

}  // namespace

void print_verdicts(std::ostream& stream, const std::vector<Verdict>& verdicts) {
  std::vector<std::array<std::string, 5>> rows = {
      {"", "expected", "measured", "allowed", "verdict"}};
  for (const Verdict& verdict : verdicts) {
    rows.push_back(
        {verdict.what, verdict.expected, verdict.measured, verdict.allowed, word(verdict)});
  }
  std::array<std::size_t, 5> widths = {};
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths.at(i) = std::max(widths.at(i), row.at(i).size());
    }
  }
  for (const auto& row : rows) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i) {
      stream << fmt::format("{:<{}}  ", row.at(i), widths.at(i));
    }
    stream << row.back() << '\n';
  }
}

ordered_json to_json(const std::vector<Verdict>& verdicts) {
  ordered_json list = ordered_json::array();
  for (const Verdict& verdict : verdicts) {
    list.push_back({{"what", verdict.what},
                    {"expected", verdict.expected},
                    {"measured", verdict.measured},
                    {"allowed", verdict.allowed},
                    {"passed", verdict.passed}});
  }
  return list;
}

bool report_misses(const std::string& path, const srdiff::Golden& golden,
                   const std::vector<Verdict>& verdicts) {
  const auto missed = [](const Verdict& verdict) { return !verdict.passed; };
  const auto first = std::find_if(verdicts.begin(), verdicts.end(), missed);
  if (first == verdicts.end()) {
    return false;
  }
  const auto made_with = golden.made_with.find("model");
  srdiff::log::error("{}: {} of {} missed, the first is {}; made with {}", path,
                     std::count_if(verdicts.begin(), verdicts.end(), missed), verdicts.size(),
                     first->what,
                     made_with == golden.made_with.end() ? "an unknown model" : made_with->second);
  return true;
}

void check_features(const std::string& path, const srdiff::Golden& golden,
                    const srdiff::FeatureManifest& manifest) {
  check_fingerprint(path, golden, "fingerprint", "feature network", manifest);
}

void check_lpips(const std::string& path, const srdiff::Golden& golden,
                 const srdiff::LpipsManifest& manifest) {
  check_fingerprint(path, golden, lpips_fingerprint, "LPIPS network", manifest);
}

std::vector<std::string> keep_measured(srdiff::Golden& golden,
                                       const std::vector<srdiff::Figure>& figures) {
  const auto measured = [&](const srdiff::GoldenFigure& entry) {
    return std::any_of(figures.begin(), figures.end(),
                       [&](const srdiff::Figure& figure) { return figure.key == entry.key; });
  };
  const auto left_out =
      std::stable_partition(golden.figures.begin(), golden.figures.end(), measured);
  std::vector<std::string> keys;
  std::transform(left_out, golden.figures.end(), std::back_inserter(keys),
                 [](const srdiff::GoldenFigure& entry) { return entry.key; });
  golden.figures.erase(left_out, golden.figures.end());
  return keys;
}

std::map<std::string, std::string> made_with(const srdiff::Manifest& model,
                                             const std::optional<srdiff::FeatureNetwork>& network,
                                             const srdiff::LpipsNetwork* lpips) {
  const srdiff::Machine machine = srdiff::this_machine();
  std::map<std::string, std::string> result = {{"srdiff", SRDIFF_VERSION},
                                               {"model", model.name + " " + model.version},
                                               {"processor", machine.processor},
                                               {"libtorch", machine.libtorch},
                                               {"instruction set", machine.instruction_set}};
  if (network) {
    result["features"] = network->manifest().name + " " + network->manifest().version;
    result["fingerprint"] = fingerprint(network->manifest());
  }
  if (lpips != nullptr) {
    result["lpips"] = lpips->manifest().name + " " + lpips->manifest().version;
    result[lpips_fingerprint] = fingerprint(lpips->manifest());
  }
  return result;
}
