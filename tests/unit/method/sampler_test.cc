#include "srdiff/sampler.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "srdiff/error.h"
#include "srdiff/step_grid.h"
#include "support/sample.h"
#include "support/sr3_schedule.h"

namespace srdiff {
namespace {

using support::Denoiser;
using support::sample;
using support::sr3_schedule;
using support::StepState;

std::vector<int> full_grid(int t) {
  std::vector<int> grid(static_cast<std::size_t>(t) + 1);
  std::iota(grid.rbegin(), grid.rend(), 0);
  return grid;
}

NoiseSource no_noise() {
  return [](int) -> at::Tensor { throw std::logic_error("no noise was to be drawn"); };
}

/// Data x_0 ~ N(mean, deviation²), for which the ideal denoiser and the probability-flow ODE are
/// known: x_t ~ N(√ᾱ_t·mean, spread_t²), and the ODE keeps (x_t − √ᾱ_t·mean)/spread_t.
struct GaussianData {
  double mean = 0.3;
  double deviation = 0.4;
  Schedule schedule = sr3_schedule();

  double spread(int t) const {
    return std::sqrt(schedule.alpha_bar(t) * deviation * deviation + 1 - schedule.alpha_bar(t));
  }
  at::Tensor x0(const at::Tensor& x, int t) const {
    const double gain = schedule.noise_level(t) * deviation * deviation / std::pow(spread(t), 2);
    return (x - schedule.noise_level(t) * mean) * gain + mean;
  }
  at::Tensor eps(const at::Tensor& x, int t) const {
    return (x - x0(x, t) * schedule.noise_level(t)) / schedule.sigma(t);
  }
  Denoiser denoiser(Parameterisation parameterisation = Parameterisation::eps) const {
    return [this, parameterisation](const at::Tensor& x, int t) -> at::Tensor {
      switch (parameterisation) {
        case Parameterisation::eps:
          return eps(x, t);
        case Parameterisation::x0:
          return x0(x, t);
        case Parameterisation::v:
          return eps(x, t) * schedule.noise_level(t) - x0(x, t) * schedule.sigma(t);
      }
      return x;
    };
  }
  /// Where the ODE takes x from step `from` to step `to`.
  at::Tensor ode(const at::Tensor& x, int from, int to) const {
    return (x - schedule.noise_level(from) * mean) * (spread(to) / spread(from)) +
           schedule.noise_level(to) * mean;
  }
};

SamplerOptions unclipped(SamplerKind kind, double eta = 0.0) {
  SamplerOptions options;
  options.kind = kind;
  options.eta = eta;
  options.clip_x0 = false;
  return options;
}

at::Tensor starts() {
  return at::linspace(-2.0, 2.0, 41, at::kDouble).reshape({1, 1, 1, 41});
}

/// The largest error at the clean image after `nfe` evaluations from t = 960.
double error_at(SamplerKind kind, int nfe) {
  const GaussianData data;
  const auto grid = step_grid(data.schedule, 960, nfe, GridSpacing::uniform);
  const at::Tensor end =
      sample(data.schedule, grid, starts(), data.denoiser(), no_noise(), unclipped(kind));
  return (end - data.ode(starts(), 960, 0)).abs().max().item<double>();
}

/// The largest error at t = 100 after `steps` equal steps from t = 960. Short of the end, because
/// the steps there never become short in λ, in which the order of DPM-Solver++ is stated.
double error_at_100(SamplerKind kind, int steps) {
  const GaussianData data;
  std::vector<int> grid;
  for (int t = 960; t >= 100; t -= 860 / steps) {
    grid.push_back(t);
  }
  grid.push_back(0);
  at::Tensor x_100;
  const Denoiser recording = [&](const at::Tensor& x, int t) {
    x_100 = x;
    return data.eps(x, t);
  };
  sample(data.schedule, grid, starts(), recording, no_noise(), unclipped(kind));
  return (x_100 - data.ode(starts(), 960, 100)).abs().max().item<double>();
}

/// The exponent p of error ~ steps^−p between 43 and 172 steps.
double measured_order(SamplerKind kind) {
  return std::log2(error_at_100(kind, 43) / error_at_100(kind, 172)) / 2;
}

TEST(ReverseSteps, KeepTheScheduleThatTheyWereMadeFrom) {
  const GaussianData data;
  Schedule schedule = data.schedule;
  const ReverseSteps steps(schedule, {300, 0}, unclipped(SamplerKind::ddim));
  schedule = Schedule::linear(1000, 1e-4, 2e-2);
  const at::Tensor expected =
      (starts() - 0.5 * data.schedule.sigma(300)) / data.schedule.noise_level(300);
  EXPECT_TRUE(
      at::allclose(steps.x0(0, starts(), at::full_like(starts(), 0.5)), expected, 0, 1e-12));
}

TEST(ReverseSteps, GuidanceGoesAwayFromXSr) {
  const at::Tensor x_sr = at::full_like(starts(), 0.2);
  SamplerOptions options = unclipped(SamplerKind::ddim);
  options.parameterisation = Parameterisation::x0;
  for (const double guidance : {0.0, 0.5, 1.0, 1.75}) {
    options.guidance = guidance;
    const ReverseSteps steps(GaussianData().schedule, {300, 0}, options);
    EXPECT_EQ(steps.reads_x_sr(), guidance != 1.0);
    const at::Tensor expected = 0.2 + guidance * (starts() - 0.2);
    EXPECT_TRUE(
        at::allclose(steps.x0(0, at::zeros_like(starts()), starts(), x_sr), expected, 0, 1e-12));
  }
}

TEST(ReverseSteps, GuidanceComesBeforeTheClip) {
  SamplerOptions options;
  options.parameterisation = Parameterisation::x0;
  options.guidance = 2.0;
  const ReverseSteps steps(GaussianData().schedule, {300, 0}, options);
  const at::Tensor output = at::tensor({0.5, 1.5, -0.75}).reshape({1, 1, 1, 3});
  const at::Tensor x_sr = at::tensor({0.25, 2.5, 0.5}).reshape({1, 1, 1, 3});
  // 2·0.5 − 0.25, 2·1.5 − 2.5, and 2·(−0.75) − 0.5, which is below −1.
  EXPECT_TRUE(at::equal(steps.x0(0, at::zeros_like(output), output, x_sr),
                        at::tensor({0.75, 0.5, -1.0}).reshape({1, 1, 1, 3})));
}

TEST(Ddim, ConvergesToTheOdeAtFirstOrder) {
  EXPECT_NEAR(measured_order(SamplerKind::ddim), 1.0, 0.15);
  EXPECT_LT(error_at(SamplerKind::ddim, 960), 2e-3);
}

TEST(DpmSolver, ConvergesToTheOdeAtSecondOrder) {
  EXPECT_NEAR(measured_order(SamplerKind::dpmpp), 2.0, 0.25);
  EXPECT_LT(error_at(SamplerKind::dpmpp, 960), 1e-4);
}

TEST(DpmSolver, IsCloserThanDdimAtTenEvaluations) {
  EXPECT_LT(error_at(SamplerKind::dpmpp, 10), 0.5 * error_at(SamplerKind::ddim, 10));
}

class EveryParameterisation : public testing::TestWithParam<Parameterisation> {};

TEST_P(EveryParameterisation, GivesTheIdealX0AtEachStep) {
  const GaussianData data;
  const auto grid = step_grid(data.schedule, 300, 8, GridSpacing::uniform);
  const Denoiser denoiser = data.denoiser(GetParam());
  for (const auto kind : {SamplerKind::ddim, SamplerKind::dpmpp}) {
    SamplerOptions options = unclipped(kind);
    options.parameterisation = GetParam();
    std::vector<at::Tensor> expected;
    const Denoiser recording = [&](const at::Tensor& x, int t) {
      expected.push_back(data.x0(x, t));
      return denoiser(x, t);
    };
    std::vector<at::Tensor> measured;
    sample(data.schedule, grid, starts(), recording, no_noise(), options,
           [&](const StepState& state) { measured.push_back(state.x0); });
    ASSERT_EQ(measured.size(), 8U);
    EXPECT_TRUE(at::allclose(at::stack(measured), at::stack(expected), 0, 1e-12));
  }
}

INSTANTIATE_TEST_SUITE_P(All, EveryParameterisation,
                         testing::Values(Parameterisation::eps, Parameterisation::x0,
                                         Parameterisation::v),
                         [](const auto& info) { return to_string(info.param); });

/// Noise that depends on the step alone, so that two samplers draw the same.
NoiseSource fixed_noise(at::IntArrayRef shape) {
  return [shape = shape.vec()](int t) {
    auto generator = at::detail::createCPUGenerator(static_cast<std::uint64_t>(t));
    return at::randn(shape, generator, at::TensorOptions().dtype(at::kDouble));
  };
}

TEST(Ddim, WithEtaOneOnTheFullGridIsDdpmStepByStep) {
  const GaussianData data;
  const NoiseSource noise = fixed_noise({1, 1, 1, 41});
  const at::Tensor ddim = sample(data.schedule, full_grid(80), starts(), data.denoiser(), noise,
                                 unclipped(SamplerKind::ddim, 1.0));
  const at::Tensor ddpm = sample(data.schedule, full_grid(80), starts(), data.denoiser(), noise,
                                 unclipped(SamplerKind::ddpm));
  EXPECT_TRUE(at::allclose(ddim, ddpm, 0, 1e-10));
}

struct Moments {
  double mean;
  double deviation;
};

/// Runs 100,000 scalars from x_t of the data itself, each sampler with noise of its own.
Moments sampled_moments(SamplerKind kind, double eta, std::uint64_t seed) {
  const GaussianData data;
  constexpr int t = 200;
  auto generator = at::detail::createCPUGenerator(seed);
  const auto draw = [&generator](int) {
    return at::randn({100000}, generator, at::TensorOptions().dtype(at::kDouble));
  };
  const at::Tensor x_t = draw(0) * data.spread(t) + data.schedule.noise_level(t) * data.mean;
  const at::Tensor x0 =
      sample(data.schedule, full_grid(t), x_t, data.denoiser(), draw, unclipped(kind, eta));
  return {x0.mean().item<double>(), x0.std().item<double>()};
}

TEST(Ddpm, AndDdimWithEtaOneReproduceTheDataInMeanAndVariance) {
  const GaussianData data;
  for (const Moments& moments :
       {sampled_moments(SamplerKind::ddpm, 0.0, 1), sampled_moments(SamplerKind::ddim, 1.0, 2)}) {
    // Five standard errors of 100,000 draws; the full grid's own error is below that.
    EXPECT_NEAR(moments.mean, data.mean, 5 * data.deviation / std::sqrt(1e5));
    EXPECT_NEAR(moments.deviation, data.deviation, 5 * data.deviation / std::sqrt(2e5));
  }
}

TEST(Sample, CallsTheDenoiserExactlyNfeTimesAtTheGridsSteps) {
  const GaussianData data;
  for (const auto kind : {SamplerKind::ddim, SamplerKind::dpmpp}) {
    for (const int nfe : {1, 2, 8, 50}) {
      const auto grid = step_grid(data.schedule, 300, nfe, GridSpacing::uniform);
      std::vector<int> visited;
      const Denoiser counting = [&](const at::Tensor& x, int t) {
        visited.push_back(t);
        return data.eps(x, t);
      };
      sample(data.schedule, grid, starts(), counting, no_noise(), unclipped(kind));
      EXPECT_EQ(visited, std::vector<int>(grid.begin(), grid.end() - 1));
    }
  }
}

TEST(Ddpm, CallsTheDenoiserTTimesAndTheNoiseOnceLess) {
  const GaussianData data;
  int evaluations = 0;
  std::vector<int> noisy_steps;
  const Denoiser counting = [&](const at::Tensor& x, int t) {
    ++evaluations;
    return data.eps(x, t);
  };
  const NoiseSource noise = [&](int t) {
    noisy_steps.push_back(t);
    return at::zeros_like(starts());
  };
  sample(data.schedule, full_grid(5), starts(), counting, noise, unclipped(SamplerKind::ddpm));
  EXPECT_EQ(evaluations, 5);
  EXPECT_EQ(noisy_steps, (std::vector<int>{4, 3, 2, 1}));
}

TEST(Sample, ClipsX0AndRederivesTheNoiseFromIt) {
  const Schedule schedule = sr3_schedule();
  const at::Tensor x = at::full({1, 3, 1, 1}, 2.0, at::kDouble);
  const Denoiser blind = [](const at::Tensor& input, int) { return at::zeros_like(input); };
  SamplerOptions options;  // ε̂ = 0 says x̂_0 = 2/√ᾱ, which is clipped to 1
  std::vector<at::Tensor> estimates;
  const at::Tensor end = sample(schedule, {300, 100, 0}, x, blind, no_noise(), options,
                                [&](const StepState& state) { estimates.push_back(state.x0); });
  EXPECT_EQ(estimates.at(0).max().item<double>(), 1.0);
  EXPECT_EQ(end.max().item<double>(), 1.0);
  const double eps = (2.0 - schedule.noise_level(300)) / schedule.sigma(300);
  const double x_100 = schedule.noise_level(100) + schedule.sigma(100) * eps;
  options.clip_x0 = false;
  const at::Tensor second = sample(schedule, {100, 0}, at::full({1, 3, 1, 1}, x_100, at::kDouble),
                                   blind, no_noise(), options);
  EXPECT_NEAR(second.max().item<double>(), x_100 / schedule.noise_level(100), 1e-12);
  EXPECT_NEAR(estimates.at(1).max().item<double>(), 1.0, 1e-12);
}

TEST(Sample, ReportsEachStep) {
  const GaussianData data;
  std::vector<std::array<int, 4>> seen;
  sample(data.schedule, {30, 20, 5, 0}, starts(), data.denoiser(), no_noise(),
         unclipped(SamplerKind::ddim), [&](const StepState& state) {
           seen.push_back({state.evaluation, state.nfe, state.t, state.next_t});
         });
  EXPECT_EQ(seen, (std::vector<std::array<int, 4>>{{1, 3, 30, 20}, {2, 3, 20, 5}, {3, 3, 5, 0}}));
}

TEST(Sample, RefusesWhatItCannotRun) {
  const GaussianData data;
  const auto run = [&](const std::vector<int>& grid, const SamplerOptions& options) {
    return sample(data.schedule, grid, starts(), data.denoiser(), no_noise(), options);
  };
  EXPECT_THROW(run({300, 100, 0}, unclipped(SamplerKind::ddpm)), UsageError);
  EXPECT_THROW(run({}, unclipped(SamplerKind::ddim)), UsageError);
  EXPECT_THROW(run({300}, unclipped(SamplerKind::ddim)), UsageError);
  EXPECT_THROW(run({300, 300, 0}, unclipped(SamplerKind::ddim)), UsageError);
  EXPECT_THROW(run({300, 100}, unclipped(SamplerKind::ddim)), UsageError);
  EXPECT_THROW(run({300, 0}, unclipped(SamplerKind::ddim, 1.5)), UsageError);
  EXPECT_THROW(run({300, 0}, unclipped(SamplerKind::ddim, std::nan(""))), UsageError);
  for (const double guidance : {-0.1, std::nan(""), HUGE_VAL}) {
    SamplerOptions options = unclipped(SamplerKind::ddim);
    options.guidance = guidance;
    EXPECT_THROW(run({300, 0}, options), UsageError);
  }
  EXPECT_THROW(parse_sampler("euler"), UsageError);
  EXPECT_THROW(parse_parameterisation("score"), UsageError);
}

}  // namespace
}  // namespace srdiff
