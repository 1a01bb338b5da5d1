#include "srdiff/sampler.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/enum_words.h"
#include "engine/linear_combination.h"
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
  bool falls = !grid.empty() && grid.back() == 0;
  for (std::size_t i = 1; falls && i < grid.size(); ++i) {
    falls = grid[i] < grid[i - 1];
  }
  if (!falls) {
    throw UsageError("a step grid must fall strictly to 0");
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

template <>
std::vector<std::string> words_of<SamplerKind>() {
  return sampler_words.all();
}

ReverseSteps::ReverseSteps(Schedule schedule, std::vector<int> grid, const SamplerOptions& options)
    : schedule_(std::move(schedule)), grid_(std::move(grid)), options_(options) {
  check_grid(grid_, options_.kind);
  if (!(options_.eta >= 0.0 && options_.eta <= 1.0)) {
    throw UsageError("eta = " + std::to_string(options_.eta) + " is outside 0 to 1");
  }
  if (!(options_.guidance >= 0.0 && std::isfinite(options_.guidance))) {
    throw UsageError("guidance = " + std::to_string(options_.guidance) +
                     " is no finite number from 0");
  }
}

at::Tensor ReverseSteps::x0(int i, const at::Tensor& x, const at::Tensor& output,
                            const at::Tensor& x_sr) const {
  const double a = schedule_.noise_level(t(i));
  const double s = schedule_.sigma(t(i));
  const LinearCombination x_t(x);
  const LinearCombination network(output);
  LinearCombination x0 = network;
  switch (options_.parameterisation) {
    case Parameterisation::eps:
      x0 = (x_t - network * s) / a;
      break;
    case Parameterisation::x0:
      break;
    case Parameterisation::v:
      x0 = x_t * a - network * s;
      break;
  }
  if (reads_x_sr()) {
    x0 = x0 * options_.guidance + LinearCombination(x_sr) * (1.0 - options_.guidance);
  }
  return x0.tensor(options_.clip_x0);
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
  const double sigma = std::sqrt(schedule_.posterior_variance(t));
  return (LinearCombination(x0) * c_x0 + LinearCombination(x) * c_x +
          LinearCombination(noise(next_t)) * sigma)
      .tensor();
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
  const LinearCombination x0_hat(x0);
  const LinearCombination eps =
      (LinearCombination(x) - x0_hat * schedule_.noise_level(t)) / schedule_.sigma(t);
  LinearCombination next = x0_hat * schedule_.noise_level(next_t) + eps * direction;
  if (sigma > 0.0) {
    next = next + LinearCombination(noise(next_t)) * sigma;
  }
  return next.tensor();
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
  const LinearCombination x_t(x);
  LinearCombination data(x0);
  if (i > 0) {
    const double r = (lambda - schedule_.half_log_snr(this->t(i - 1))) / h;
    data = data * (1.0 + 0.5 / r) - LinearCombination(previous_x0) * (0.5 / r);
  }
  return (x_t * c_x - data * c_data).tensor();
}

}  // namespace srdiff
