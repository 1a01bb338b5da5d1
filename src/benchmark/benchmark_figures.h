#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "srdiff/upscale_settings.h"

namespace srdiff {

/// Seconds of the same work done several times. The median is the figure; the others show how
/// quiet the machine was.
struct Timing {
  double median = 0.0;
  double least = 0.0;
  double most = 0.0;
};

/// Median, least and most of measurements, of which there must be one.
Timing timing_of(std::vector<double> seconds);

/// A convolution or matrix product of the denoiser, alone on random numbers.
struct ProductBenchmark {
  std::string what;     ///< "convolution [1,96,32,32] with [128,96,3,3]"
  std::int64_t calls;   ///< in one evaluation
  double flops;         ///< of one call: two for each multiplication with its addition
  double best_seconds;  ///< of one call: the least median over the layouts
  std::string best_layout;
  double bytes = 0.0;  ///< of one call: operands read once, the result written once
  /// best_seconds over LibTorch's layouts alone, without srdiff's own kernels; 0: not known.
  double library_seconds = 0.0;
};

/// One call of the denoiser.
struct EvaluationBenchmark {
  std::int64_t batch = 0;
  std::int64_t size = 0;  ///< output side, pixels
  Timing seconds;
  std::vector<ProductBenchmark> products;
  /// The rate of one large matrix product in the same precision, measured in the same turns; 0: not
  /// measured.
  double matrix_flops_per_second = 0.0;
  /// Read and written by one large copy, likewise.
  double copy_bytes_per_second = 0.0;

  double flops() const;          ///< of the products: what else a network does is not counted
  double floor_seconds() const;  ///< the products' best times together
  /// Their best times together in LibTorch's kernels: what an evaluation cannot fall below that has
  /// no other.
  double library_floor_seconds() const;
  /// What the products' bytes take at the rate of a large copy: the floor that memory sets.
  double traffic_seconds() const;
  double flops_per_second() const { return flops() / seconds.median; }
  /// How much of the evaluation is products at their best: floor / measured.
  double share_of_floor() const { return floor_seconds() / seconds.median; }
  double share_of_matrix_rate() const { return flops_per_second() / matrix_flops_per_second; }

 private:
  double total(double ProductBenchmark::*of_call) const;
};

/// Images through the whole method.
struct ImageBenchmark {
  std::int64_t size = 0;  ///< output side, pixels
  int nfe = 0;
  Timing seconds;           ///< of all of them
  std::int64_t images = 1;  ///< handed over together, see Upscaler::images_at_once
  /// Medians of the networks that run once before the evaluations; 0: not run, or for each image of
  /// several by itself.
  double regressor_seconds = 0.0;
  double weight_map_seconds = 0.0;
  Start start = Start::predicted;
  bool weight_map = true;    ///< in equation (1)
  std::string what() const;  ///< "one image, 128 px, 8 evaluations", "..., from noise"
  double images_per_second() const { return static_cast<double>(images) / seconds.median; }
};

struct Benchmark {
  /// What figures depend on besides the code: processor, device, threads, precision, model, and
  /// LibTorch. In the order in which they are told.
  std::vector<std::pair<std::string, std::string>> circumstances;
  int repeats = 0;
  double load_seconds = 0.0;           ///< Model::load, with its checks
  double warm_up_seconds = 0.0;        ///< the first evaluation of the first batch and size
  std::int64_t peak_memory_bytes = 0;  ///< of the process, without the measuring of the floor
  std::vector<EvaluationBenchmark> evaluations;
  std::vector<ImageBenchmark> images;  ///< one image, and as many as a GPU takes at once
};

/// "batch 8, 128 px": which evaluation is meant.
std::string evaluation_label(std::int64_t batch, std::int64_t size);

/// "one image", "8 images".
std::string count_of_images(std::int64_t images);

}  // namespace srdiff
