#include "engine/cuda/noise_level_program.h"

#include <ATen/ATen.h>
#include <torch/library.h>

#include <tuple>

#ifdef SRDIFF_CUDA
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>

#include "engine/cuda/kernels/kernels.h"
#endif

namespace srdiff::cuda {
namespace {

at::Tensor run_step(const NoiseLevelStep& step, const at::Tensor& x, const at::Tensor& y) {
  switch (step.what) {
    case NoiseLevelOperator::add:
      return x + y;
    case NoiseLevelOperator::sub:
      return x - y;
    case NoiseLevelOperator::mul:
      return x * y;
    case NoiseLevelOperator::div:
      return x / y;
    case NoiseLevelOperator::at_least:
      return at::clamp_min(x, y);
    case NoiseLevelOperator::at_most:
      return at::clamp_max(x, y);
    case NoiseLevelOperator::neg:
      return -x;
    case NoiseLevelOperator::reciprocal:
      return at::reciprocal(x);
    case NoiseLevelOperator::rsqrt:
      return at::rsqrt(x);
    case NoiseLevelOperator::sqrt:
      return at::sqrt(x);
    case NoiseLevelOperator::log:
      return at::log(x);
    case NoiseLevelOperator::exp:
      return at::exp(x);
  }
  TORCH_CHECK(false, "an unknown step");
}

NoiseLevelResults run_by_operators(const at::Tensor& level, const NoiseLevelProgram& program) {
  std::vector<at::Tensor> values = {level};
  for (const NoiseLevelStep& step : program.steps) {
    const auto first = static_cast<std::size_t>(step.first);
    values.push_back(run_step(step, values[first],
                              step.second < 0 ? at::full({}, step.constant, level.options())
                                              : values[static_cast<std::size_t>(step.second)]));
  }
  std::vector<at::Tensor> wanted;
  for (const int result : program.results) {
    wanted.push_back(values[static_cast<std::size_t>(result)]);
  }
  NoiseLevelResults results;
  results.values =
      wanted.empty() ? at::empty({0, level.size(0)}, level.options()) : at::stack(wanted);
  if (program.encoded >= 0) {
    const at::Tensor angle = values[static_cast<std::size_t>(program.encoded)].unsqueeze(1) *
                             program.frequencies.unsqueeze(0);
    results.encoding = at::cat({at::sin(angle), at::cos(angle)}, 1);
  }
  return results;
}

#ifdef SRDIFF_CUDA

bool takes_kernel(const at::Tensor& level, const NoiseLevelProgram& program) {
  return level.is_cuda() && level.dim() == 1 && level.numel() > 0 && level.is_contiguous() &&
         level.scalar_type() == c10::kFloat && program.steps.size() <= most_noise_level_steps &&
         program.results.size() <= most_noise_level_results &&
         (program.encoded < 0 || program.frequencies.device() == level.device());
}

NoiseLevelResults run_by_kernel(const at::Tensor& level, const NoiseLevelProgram& program) {
  NoiseLevelCode code;
  for (const NoiseLevelStep& step : program.steps) {
    code.steps[code.step_count++] = step;
  }
  for (const int result : program.results) {
    code.results[code.result_count++] = result;
  }
  const std::int64_t count = level.size(0);
  NoiseLevelResults results;
  results.values = at::empty({code.result_count, count}, level.options());
  if (program.encoded >= 0) {
    code.encoded = program.encoded;
    code.frequencies = program.frequencies.data_ptr<float>();
    code.frequency_count = static_cast<int>(program.frequencies.numel());
    results.encoding = at::empty({count, 2 * code.frequency_count}, level.options());
  }
  const c10::cuda::CUDAGuard guard(level.device());
  C10_CUDA_CHECK(run_noise_levels(
      code, level.data_ptr<float>(), static_cast<int>(count), results.values.data_ptr<float>(),
      program.encoded >= 0 ? results.encoding.data_ptr<float>() : nullptr,
      at::cuda::getCurrentCUDAStream()));
  return results;
}

#endif

/// The program as an operator's constants: four numbers a step.
std::tuple<at::Tensor, at::Tensor> run_code(const at::Tensor& level, at::ArrayRef<double> code,
                                            at::IntArrayRef wanted, std::int64_t encoded,
                                            const c10::optional<at::Tensor>& frequencies) {
  constexpr std::size_t numbers = 4;
  NoiseLevelProgram program;
  for (std::size_t i = 0; i + numbers <= code.size(); i += numbers) {
    program.steps.push_back({static_cast<NoiseLevelOperator>(static_cast<int>(code[i])),
                             static_cast<int>(code[i + 1]), static_cast<int>(code[i + 2]),
                             static_cast<float>(code[i + 3])});
  }
  program.results.assign(wanted.begin(), wanted.end());
  program.encoded = static_cast<int>(encoded);
  program.frequencies = frequencies.value_or(at::Tensor());
  const NoiseLevelResults results = run_noise_level_program(level, program);
  return {results.values, results.encoding};
}

/// One of the program's values [N] with `sides` further sides of 1.
at::Tensor level_value(const at::Tensor& values, std::int64_t index, std::int64_t sides) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(sides) + 1, 1);
  shape[0] = values.size(1);
  return values.select(0, index).view(shape);
}

TORCH_LIBRARY_FRAGMENT(srdiff, library) {
  library.def(
      "noise_level_program(Tensor level, float[] code, int[] wanted, int encoded, Tensor? "
      "frequencies) "
      "-> (Tensor, Tensor)",
      run_code);
  library.def("level_value(Tensor(a) values, int index, int sides) -> Tensor(a)", level_value);
}

}  // namespace

NoiseLevelResults run_noise_level_program(const at::Tensor& level,
                                          const NoiseLevelProgram& program) {
#ifdef SRDIFF_CUDA
  if (takes_kernel(level, program)) {
    return run_by_kernel(level, program);
  }
#endif
  return run_by_operators(level, program);
}

}  // namespace srdiff::cuda
