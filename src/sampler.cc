#include "srdiff/sampler.h"

#include <ATen/ATen.h>

#include <cmath>
#include <memory>
#include <utility>

#include "enum_words.h"
#include "srdiff/error.h"

namespace srdiff {
namespace {

constexpr EnumWords<Parameterisation, 3> parameterisation_words = {
    "the parameterisation",
    {{{Parameterisation::eps, "eps"}, {Parameterisation::x0, "x0"}, {Parameterisation::v, "v"}}}};

constexpr EnumWords<SamplerKind, 3> sampler_words = {
    "the sampler",
    {{{SamplerKind::ddpm, "ddpm"}, {SamplerKind::ddim, "ddim"}, {SamplerKind::dpmpp, "dpmpp"}}}};

/// x̂_0 from the network's output at step t.
at::Tensor predicted_x0(const Schedule& schedule, int t, const at::Tensor& x,
                        const at::Tensor& output, const SamplerOptions& options) {
  const double a = schedule.noise_level(t);
  const double s = schedule.sigma(t);
  at::Tensor x0;
  switch (options.parameterisation) {
    case Parameterisation::eps:
      x0 = (x - output * s) / a;
      break;
    case Parameterisation::x0:
      x0 = output;
      break;
    case Parameterisation::v:
      x0 = x * a - output * s;
      break;
  }
  return options.clip_x0 ? x0.clamp(-1.0, 1.0) : x0;
}

/// One rule of reverse steps. A rule may remember earlier steps, so each run has its own.
class Stepper {
 public:
  Stepper() = default;
  Stepper(const Stepper&) = delete;
  Stepper& operator=(const Stepper&) = delete;
  virtual ~Stepper() = default;
  /// x at step `next_t` from x at step `t` and x̂_0. `next_t` < `t`.
  virtual at::Tensor step(int t, int next_t, const at::Tensor& x, const at::Tensor& x0) = 0;
};

class DdpmStepper final : public Stepper {
 public:
  DdpmStepper(const Schedule& schedule, const NoiseSource& noise)
      : schedule_(schedule), noise_(noise) {}

  at::Tensor step(int t, int next_t, const at::Tensor& x, const at::Tensor& x0) override {
    if (next_t != t - 1) {
      throw UsageError("ddpm visits every step, so nfe must equal t; use ddim or dpmpp for fewer");
    }
    if (next_t == 0) {
      return x0;  // the posterior's mean at t = 1, where its variance is 0
    }
    const double one_minus = 1.0 - schedule_.alpha_bar(t);
    const double c_x0 = schedule_.noise_level(next_t) * schedule_.beta(t) / one_minus;
    const double c_x =
        std::sqrt(1.0 - schedule_.beta(t)) * (1.0 - schedule_.alpha_bar(next_t)) / one_minus;
    return x0 * c_x0 + x * c_x + noise_(next_t) * std::sqrt(schedule_.posterior_variance(t));
  }

 private:
  const Schedule& schedule_;
  const NoiseSource& noise_;
};

class DdimStepper final : public Stepper {
 public:
  DdimStepper(const Schedule& schedule, const NoiseSource& noise, double eta)
      : schedule_(schedule), noise_(noise), eta_(eta) {}

  at::Tensor step(int t, int next_t, const at::Tensor& x, const at::Tensor& x0) override {
    const double ab = schedule_.alpha_bar(t);
    const double ab_next = schedule_.alpha_bar(next_t);
    // arXiv 2010.02502, equation 16; at η = 1 and next_t = t − 1 this is DDPM's √β̃_t.
    const double sigma =
        eta_ * std::sqrt((1.0 - ab_next) / (1.0 - ab)) * std::sqrt(1.0 - ab / ab_next);
    const at::Tensor eps = (x - x0 * schedule_.noise_level(t)) / schedule_.sigma(t);
    const double direction = std::sqrt(std::max(0.0, 1.0 - ab_next - sigma * sigma));
    at::Tensor next = x0 * schedule_.noise_level(next_t) + eps * direction;
    return sigma > 0.0 ? next + noise_(next_t) * sigma : next;
  }

 private:
  const Schedule& schedule_;
  const NoiseSource& noise_;
  double eta_;
};

class DpmSolverStepper final : public Stepper {
 public:
  explicit DpmSolverStepper(const Schedule& schedule) : schedule_(schedule) {}

  at::Tensor step(int t, int next_t, const at::Tensor& x, const at::Tensor& x0) override {
    if (next_t == 0) {
      return x0;  // λ is infinite at 0: the exponential below vanishes and order 1 remains
    }
    const double lambda = schedule_.half_log_snr(t);
    const double h = schedule_.half_log_snr(next_t) - lambda;
    at::Tensor data = x0;
    if (previous_x0_.defined()) {
      const double r = (lambda - previous_lambda_) / h;
      data = x0 * (1.0 + 0.5 / r) - previous_x0_ * (0.5 / r);
    }
    previous_x0_ = x0;
    previous_lambda_ = lambda;
    return x * (schedule_.sigma(next_t) / schedule_.sigma(t)) -
           data * (schedule_.noise_level(next_t) * std::expm1(-h));
  }

 private:
  const Schedule& schedule_;
  at::Tensor previous_x0_;
  double previous_lambda_ = 0.0;
};

std::unique_ptr<Stepper> make_stepper(const Schedule& schedule, const NoiseSource& noise,
                                      const SamplerOptions& options) {
  switch (options.kind) {
    case SamplerKind::ddpm:
      return std::make_unique<DdpmStepper>(schedule, noise);
    case SamplerKind::ddim:
      return std::make_unique<DdimStepper>(schedule, noise, options.eta);
    case SamplerKind::dpmpp:
      return std::make_unique<DpmSolverStepper>(schedule);
  }
  throw UsageError("the sampler is not known");
}

void check_grid(const std::vector<int>& grid) {
  bool falls = grid.size() >= 2 && grid.back() == 0;
  for (std::size_t i = 1; falls && i < grid.size(); ++i) {
    falls = grid[i] < grid[i - 1];
  }
  if (!falls) {
    throw UsageError("a step grid must fall strictly to 0 over at least one step");
  }
}

}  // namespace

std::string to_string(Parameterisation parameterisation) {
  return parameterisation_words.word(parameterisation);
}

Parameterisation parse_parameterisation(const std::string& word) {
  return parameterisation_words.parse(word);
}

std::string to_string(SamplerKind kind) {
  return sampler_words.word(kind);
}

SamplerKind parse_sampler(const std::string& word) {
  return sampler_words.parse(word);
}

at::Tensor sample(const Schedule& schedule, const std::vector<int>& grid, at::Tensor x,
                  const Denoiser& denoiser, const NoiseSource& noise, const SamplerOptions& options,
                  const StepObserver& observer) {
  check_grid(grid);
  if (!(options.eta >= 0.0 && options.eta <= 1.0)) {
    throw UsageError("eta = " + std::to_string(options.eta) + " is outside 0 to 1");
  }
  const std::unique_ptr<Stepper> stepper = make_stepper(schedule, noise, options);
  const int nfe = static_cast<int>(grid.size()) - 1;
  for (int i = 0; i < nfe; ++i) {
    const int t = grid[static_cast<std::size_t>(i)];
    const int next_t = grid[static_cast<std::size_t>(i) + 1];
    const at::Tensor x0 = predicted_x0(schedule, t, x, denoiser(x, t), options);
    x = stepper->step(t, next_t, x, x0);
    if (observer) {
      observer({i + 1, nfe, t, next_t, x0});
    }
  }
  return x;
}

}  // namespace srdiff
