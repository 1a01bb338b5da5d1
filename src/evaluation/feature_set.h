#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "evaluation/feature_network.h"
#include "evaluation/frechet.h"

namespace srdiff {

/// A set of pictures as a feature network sees it: all that distances between sets need of it.
struct FeatureSet {
  std::string network;      ///< the network's name
  std::string fingerprint;  ///< srdiff::fingerprint of its manifest
  Gaussian gaussian;
  /// [n,D] float32: features for KID and PRDC; undefined where none were kept.
  at::Tensor sample;
};

/// Throws UsageError "A and B …" when the sets were seen by different networks, or after different
/// preprocessing: no figure compares them.
void check_comparable(const FeatureSet& a, const FeatureSet& b);

/// "FID (inception-v3-fid)" for that network alone, "FD (NAME)" for any other.
std::string frechet_distance_name(const std::string& network);

/// Collects the features of pictures as they come.
///
/// Memory is of order D² for the Gaussian, plus 4·D bytes for each kept feature, of which there
/// are at most `sample_size`: beyond it, a uniform random choice of all pictures (algorithm R,
/// always the same for the same number).
class FeatureCollector {
 public:
  /// `network` must outlive the collector. A `sample_size` of 0 keeps no features.
  FeatureCollector(const FeatureNetwork& network, std::int64_t sample_size);

  /// image [3,H,W] float32 RGB in [−1,1], of any size.
  void add(const at::Tensor& image);
  std::int64_t count() const { return count_; }

  /// The set of all pictures so far. Throws UsageError below two.
  FeatureSet result();

  double network_seconds() const { return network_seconds_; }  ///< preprocessing included
  double statistics_seconds() const { return statistics_seconds_; }

 private:
  void flush();
  void keep(const at::Tensor& features);

  const FeatureNetwork& network_;
  GaussianFit fit_;
  std::int64_t sample_size_;
  std::int64_t seen_ = 0;   // by `keep`
  std::int64_t count_ = 0;  // by `add`
  at::Tensor sample_;       // [sample_size,D], its first rows filled
  std::vector<at::Tensor> waiting_;
  double network_seconds_ = 0.0;
  double statistics_seconds_ = 0.0;
};

/// Writes mean and covariance as pytorch-fid's .npz (mu, sigma), with a note of what they are of:
/// the network and `images`, a hash that names the pictures. Throws InputError.
void write_statistics(const std::filesystem::path& path, const FeatureSet& set,
                      const std::string& images);

/// Reads them back, without a sample. Throws InputError "PATH: reason" when the file is of another
/// network, preprocessing or, unless `images` is empty, of other pictures.
///
/// A file of pytorch-fid says nothing of these: it is taken for its Inception network alone, with a
/// logged warning that its pictures cannot be checked.
FeatureSet read_statistics(const std::filesystem::path& path, const FeatureManifest& network,
                           const std::string& images);

}  // namespace srdiff
