#pragma once

namespace srdiff::cuda {

/// The operation of a step, on one or two earlier values, or on one value and a constant.
enum class NoiseLevelOperator : int {
  add,
  sub,
  mul,
  div,
  at_least,
  at_most,
  neg,
  reciprocal,
  rsqrt,
  sqrt,
  log,
  exp
};

/// A step of a program that each image's noise level goes through: step i gives value i + 1, and
/// the level itself is value 0.
struct NoiseLevelStep {
  NoiseLevelOperator what = NoiseLevelOperator::add;
  int first = 0;
  int second = -1;  ///< below 0: `constant` in its place
  float constant = 0.0F;
};

/// The most steps and results that one kernel takes.
constexpr int most_noise_level_steps = 64;
constexpr int most_noise_level_results = 16;

}  // namespace srdiff::cuda
