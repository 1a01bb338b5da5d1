#pragma once

#include <iosfwd>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "evaluation/feature_network.h"
#include "evaluation/golden.h"
#include "evaluation/lpips.h"
#include "srdiff/model.h"

/// A table of verdicts for people.
void print_verdicts(std::ostream& stream, const std::vector<srdiff::Verdict>& verdicts);

nlohmann::ordered_json to_json(const std::vector<srdiff::Verdict>& verdicts);

/// Logs how many were missed and where the first difference is. True when there was one.
bool report_misses(const std::string& path, const srdiff::Golden& golden,
                   const std::vector<srdiff::Verdict>& verdicts);

/// Throws InputError when the golden figures were made with another feature network.
void check_features(const std::string& path, const srdiff::Golden& golden,
                    const srdiff::FeatureManifest& manifest);
/// The same of the network of lpips.
void check_lpips(const std::string& path, const srdiff::Golden& golden,
                 const srdiff::LpipsManifest& manifest);

/// Leaves out the golden figures that were not measured, and returns their keys.
std::vector<std::string> keep_measured(srdiff::Golden& golden,
                                       const std::vector<srdiff::Figure>& figures);

/// Versions and machine, for a golden file; `lpips` is null where that was not measured.
std::map<std::string, std::string> made_with(const srdiff::Manifest& model,
                                             const std::optional<srdiff::FeatureNetwork>& network,
                                             const srdiff::LpipsNetwork* lpips);
