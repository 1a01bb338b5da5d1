#pragma once

#include <ATen/core/Tensor.h>

namespace srdiff {

/// How much of two distributions is common, each in [0,1] but density, which can exceed 1.
struct Prdc {
  double precision = 0.0;  ///< part of the outputs that lie among the references
  double recall = 0.0;     ///< part of the references that lie among the outputs
  double density = 0.0;    ///< how many references' neighbourhoods an output lies in, over k
  double coverage = 0.0;   ///< part of the references with an output in their neighbourhood
};

/// Improved precision and recall (Kynkäänniemi et al., arXiv 1904.06991), density and coverage
/// (Naeem et al., arXiv 2002.09797). A point's neighbourhood reaches to its k-th nearest neighbour
/// in its own set; k = 5 is the second paper's choice.
///
/// `reference` [n,D] and `output` [m,D] are features, any floating type; distances are computed in
/// float64, a block of rows at a time. Throws UsageError unless both sets have more than k members.
Prdc prdc(const at::Tensor& reference, const at::Tensor& output, int k = 5);

}  // namespace srdiff
