#include "evaluation/feature_set.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "base/scoped_timer.h"
#include "evaluation/npz.h"
#include "evaluation/random_index.h"
#include "srdiff/error.h"
#include "srdiff/logging.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;

/// Pictures in one call of the network: enough to fill the cores, few enough for their caches.
constexpr std::size_t batch = 16;

/// The one network whose Fréchet distance the field calls FID.
const std::string inception = "inception-v3-fid";

/// The member of the .npz that says what the statistics are of.
const std::string origin_member = "srdiff.json";

/// Bytes of a .npy file besides its values, and of the note of origin, at most.
constexpr std::uint64_t max_text_bytes = std::uint64_t{1} << 16;

/// The members of a file of statistics. A file of another network with more dimensions than this
/// one is read too, so that the message can say so.
NpzRequest statistics_request(std::int64_t dimensions) {
  constexpr std::int64_t usual_dimensions = 4096;
  const auto most = static_cast<std::uint64_t>(std::max(dimensions, usual_dimensions));
  return {{{"mu", most * sizeof(double) + max_text_bytes},
           {"sigma", most * most * sizeof(double) + max_text_bytes}},
          {{origin_member, max_text_bytes}}};
}

void check_origin(const std::string& text, const FeatureManifest& network,
                  const std::string& images) {
  const auto origin = parse_json(text);
  if (origin.at("fingerprint") != fingerprint(network)) {
    throw InputError("holds statistics of the feature network " +
                     origin.at("network").get<std::string>() +
                     " with other weights or preprocessing than " + network.name +
                     "; name another file, or remove it to have it made anew");
  }
  if (!images.empty() && origin.at("images") != images) {
    throw InputError(
        "holds statistics of other pictures than the reference's; name another file, or remove it "
        "to have it made anew");
  }
}

Gaussian gaussian_of(const Npz& npz, std::int64_t dimensions) {
  const auto mu = npz.arrays.find("mu");
  const auto sigma = npz.arrays.find("sigma");
  if (mu == npz.arrays.end() || sigma == npz.arrays.end()) {
    throw InputError("holds no arrays mu and sigma");
  }
  if (mu->second.numel() != dimensions) {
    throw InputError("holds statistics of " + std::to_string(mu->second.numel()) +
                     " dimensions; the feature network has " + std::to_string(dimensions));
  }
  try {
    return Gaussian::from_covariance(mu->second, sigma->second, 0);
  } catch (const UsageError& error) {
    throw InputError(error.what());
  }
}

FeatureSet set_of(const Npz& npz, const FeatureManifest& network, const std::string& images,
                  const std::string& name) {
  FeatureSet set{network.name, fingerprint(network), gaussian_of(npz, network.dimensions), {}};
  const auto origin = npz.texts.find(origin_member);
  if (origin != npz.texts.end()) {
    check_origin(origin->second, network, images);
    const auto count = parse_json(origin->second).at("count");
    set.gaussian.count = whole_number<std::int64_t>(count).value_or(0);
    if (set.gaussian.count < 2) {
      throw InputError("says that it is of " + count.dump() +
                       " pictures, which have no covariance");
    }
  } else if (network.name == inception) {
    log::warn("{}: does not say of which pictures it is; taken as it is", name);
  } else {
    throw InputError(
        "does not say which feature network it is of, as pytorch-fid's files; such a "
        "file is taken for " +
        inception + " alone");
  }
  return set;
}

}  // namespace

void check_comparable(const FeatureSet& a, const FeatureSet& b) {
  if (a.fingerprint != b.fingerprint) {
    throw UsageError("features of " + a.network + " and of " + b.network +
                     (a.network == b.network ? " with other weights or preprocessing" : "") +
                     " cannot be compared");
  }
}

std::string frechet_distance_name(const std::string& network) {
  return (network == inception ? "FID (" : "FD (") + network + ")";
}

FeatureCollector::FeatureCollector(const FeatureNetwork& network, std::int64_t sample_size)
    : network_(network), fit_(network.manifest().dimensions), sample_size_(sample_size) {
  if (sample_size_ > 0) {
    sample_ = at::empty({sample_size_, network.manifest().dimensions}, at::kFloat);
  }
}

void FeatureCollector::add(const at::Tensor& image) {
  at::Tensor prepared;
  {
    const ScopedTimer timer(network_seconds_);
    prepared = network_.prepare(image);
  }
  if (!waiting_.empty() && waiting_.front().sizes() != prepared.sizes()) {
    flush();
  }
  waiting_.push_back(prepared);
  ++count_;
  if (waiting_.size() == batch) {
    flush();
  }
}

void FeatureCollector::flush() {
  if (waiting_.empty()) {
    return;
  }
  at::Tensor features;
  {
    const ScopedTimer timer(network_seconds_);
    features = network_(at::stack(waiting_));
    waiting_.clear();
  }
  const ScopedTimer timer(statistics_seconds_);
  fit_.add(features);
  keep(features);
}

void FeatureCollector::keep(const at::Tensor& features) {
  for (std::int64_t i = 0; sample_size_ > 0 && i < features.size(0); ++i, ++seen_) {
    // The picture's own number is the random stream, so that batches do not matter.
    const std::int64_t place =
        seen_ < sample_size_ ? seen_
                             : RandomIndex(static_cast<std::uint32_t>(seen_)).below(seen_ + 1);
    if (place < sample_size_) {
      sample_[place].copy_(features[i]);
    }
  }
}

FeatureSet FeatureCollector::result() {
  flush();
  const ScopedTimer timer(statistics_seconds_);
  FeatureSet set{network_.manifest().name, fingerprint(network_.manifest()), fit_.result(), {}};
  if (sample_size_ > 0) {
    set.sample = sample_.narrow(0, 0, std::min(seen_, sample_size_)).clone();
  }
  return set;
}

void write_statistics(const fs::path& path, const FeatureSet& set, const std::string& images) {
  const nlohmann::json origin = {{"network", set.network},
                                 {"fingerprint", set.fingerprint},
                                 {"images", images},
                                 {"count", set.gaussian.count}};
  write_npz(path, {{{"mu", set.gaussian.mean}, {"sigma", set.gaussian.covariance()}},
                   {{origin_member, origin.dump(2) + "\n"}}});
}

FeatureSet read_statistics(const fs::path& path, const FeatureManifest& network,
                           const std::string& images) {
  const Npz npz = read_npz(path, statistics_request(network.dimensions));
  try {
    return set_of(npz, network, images, path.string());
  } catch (const InputError& error) {
    throw InputError(path.string() + ": " + error.what());
  } catch (const UsageError&) {
    throw InputError(path.string() + ": its note of what it is of cannot be read");
  } catch (const nlohmann::json::exception&) {
    throw InputError(path.string() + ": its note of what it is of cannot be read");
  }
}

}  // namespace srdiff
