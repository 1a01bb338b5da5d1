#include "srdiff/sampler.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/enum_words.h"
#include "engine/weighted_sum.h"
#include "srdiff/error.h"

namespace srdiff {
namespace {

constexpr EnumWords<Parameterisation, 3> parameterisation_words = {
    "the parameterisation",
    {{{Parameterisation::eps, "eps"}, {Parameterisation::x0, "x0"}, {Parameterisation::v, "v"}}}};

constexpr EnumWords<SamplerKind, 3> sampler_words = {
    "the sampler",
    {{{SamplerKind::ddpm, "ddpm"}, {SamplerKind::ddim, "ddim"}, {SamplerKind::dpmpp, "dpmpp"}}}};

void check_grid(const std::vector<int>& grid, SamplerKind kind) {
  bool falls = grid.size() >= 2 && grid.back() == 0;
  for (std::size_t i = 1; falls && i < grid.size(); ++i) {
    falls = grid[i] < grid[i - 1];
  }
  if (!falls) {
    throw UsageError("a step grid must fall strictly to 0 over at least one step");
  }
  if (kind == SamplerKind::ddpm && static_cast<int>(grid.size()) != grid.front() + 1) {
    throw UsageError("ddpm visits every step, so nfe must equal t; use ddim or dpmpp for fewer");
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

ReverseSteps::ReverseSteps(const Schedule& schedule, std::vector<int> grid,
                           const SamplerOptions& options)
    : schedule_(schedule), grid_(std::move(grid)), options_(options) {
  check_grid(grid_, options_.kind);
  if (!(options_.eta >= 0.0 && options_.eta <= 1.0)) {
    throw UsageError("eta = " + std::to_string(options_.eta) + " is outside 0 to 1");
  }
}

at::Tensor ReverseSteps::x0(int i, const at::Tensor& x, const at::Tensor& output) const {
  const double a = schedule_.noise_level(t(i));
  const double s = schedule_.sigma(t(i));
  at::Tensor x0;
  switch (options_.parameterisation) {
    case Parameterisation::eps:
      if (x.is_cuda()) {
        return weighted_sum({{x, 1.0 / a}, {output, -s / a}}, options_.clip_x0);
      }
      x0 = (x - output * s) / a;
      break;
    case Parameterisation::x0:
      x0 = output;
      break;
    case Parameterisation::v:
      if (x.is_cuda()) {
        return weighted_sum({{x, a}, {output, -s}}, options_.clip_x0);
      }
      x0 = x * a - output * s;
      break;
  }
  return options_.clip_x0 ? x0.clamp(-1.0, 1.0) : x0;
}

bool ReverseSteps::reads_previous_x0(int i) const {
  return options_.kind == SamplerKind::dpmpp && i > 0 && t(i + 1) > 0;
}

at::Tensor ReverseSteps::next(int i, const at::Tensor& x, const at::Tensor& x0,
                              const at::Tensor& previous_x0, const NoiseSource& noise) const {
  switch (options_.kind) {
    case SamplerKind::ddpm:
      return ddpm(i, x, x0, noise);
    case SamplerKind::ddim:
      return ddim(i, x, x0, noise);
    case SamplerKind::dpmpp:
      return dpmpp(i, x, x0, previous_x0);
  }
  throw UsageError("the sampler is not known");
}

at::Tensor ReverseSteps::ddpm(int i, const at::Tensor& x, const at::Tensor& x0,
                              const NoiseSource& noise) const {
  const int t = this->t(i);
  const int next_t = this->t(i + 1);
  if (next_t == 0) {
    return x0;  // the posterior's mean at t = 1, where its variance is 0
  }
  const double one_minus = 1.0 - schedule_.alpha_bar(t);
  const double c_x0 = schedule_.noise_level(next_t) * schedule_.beta(t) / one_minus;
  const double c_x =
      std::sqrt(1.0 - schedule_.beta(t)) * (1.0 - schedule_.alpha_bar(next_t)) / one_minus;
  return weighted_sum(
      {{x0, c_x0}, {x, c_x}, {noise(next_t), std::sqrt(schedule_.posterior_variance(t))}});
}

at::Tensor ReverseSteps::ddim(int i, const at::Tensor& x, const at::Tensor& x0,
                              const NoiseSource& noise) const {
  const int t = this->t(i);
  const int next_t = this->t(i + 1);
  const double ab = schedule_.alpha_bar(t);
  const double ab_next = schedule_.alpha_bar(next_t);
  // arXiv 2010.02502, equation 16; at η = 1 and next_t = t − 1 this is DDPM's √β̃_t.
  const double sigma =
      options_.eta * std::sqrt((1.0 - ab_next) / (1.0 - ab)) * std::sqrt(1.0 - ab / ab_next);
  const double direction = std::sqrt(std::max(0.0, 1.0 - ab_next - sigma * sigma));
  if (x.is_cuda()) {
    const double c_x = direction / schedule_.sigma(t);
    std::vector<WeightedTerm> terms = {
        {x, c_x}, {x0, schedule_.noise_level(next_t) - schedule_.noise_level(t) * c_x}};
    if (sigma > 0.0) {
      terms.push_back({noise(next_t), sigma});
    }
    return weighted_sum(terms);
  }
  const at::Tensor eps = (x - x0 * schedule_.noise_level(t)) / schedule_.sigma(t);
  at::Tensor next = x0 * schedule_.noise_level(next_t) + eps * direction;
  return sigma > 0.0 ? next + noise(next_t) * sigma : next;
}

at::Tensor ReverseSteps::dpmpp(int i, const at::Tensor& x, const at::Tensor& x0,
                               const at::Tensor& previous_x0) const {
  const int t = this->t(i);
  const int next_t = this->t(i + 1);
  if (next_t == 0) {
    return x0;  // λ is infinite at 0: the exponential below vanishes and order 1 remains
  }
  const double lambda = schedule_.half_log_snr(t);
  const double h = schedule_.half_log_snr(next_t) - lambda;
  const double c_x = schedule_.sigma(next_t) / schedule_.sigma(t);
  const double c_data = schedule_.noise_level(next_t) * std::expm1(-h);
  if (i == 0) {
    return x * c_x - x0 * c_data;
  }
  const double r = (lambda - schedule_.half_log_snr(this->t(i - 1))) / h;
  if (x.is_cuda()) {
    return weighted_sum(
        {{x, c_x}, {x0, -c_data * (1.0 + 0.5 / r)}, {previous_x0, c_data * (0.5 / r)}});
  }
  const at::Tensor data = x0 * (1.0 + 0.5 / r) - previous_x0 * (0.5 / r);
  return x * c_x - data * c_data;
}

at::Tensor sample(const Schedule& schedule, const std::vector<int>& grid, at::Tensor x,
                  const Denoiser& denoiser, const NoiseSource& noise, const SamplerOptions& options,
                  const StepObserver& observer) {
  const ReverseSteps steps(schedule, grid, options);
  at::Tensor previous_x0;
  for (int i = 0; i < steps.nfe(); ++i) {
    const at::Tensor x0 = steps.x0(i, x, denoiser(x, steps.t(i)));
    x = steps.next(i, x, x0, previous_x0, noise);
    previous_x0 = x0;
    if (observer) {
      observer({i + 1, steps.nfe(), steps.t(i), steps.t(i + 1), x0});
    }
  }
  return x;
}

}  // namespace srdiff
