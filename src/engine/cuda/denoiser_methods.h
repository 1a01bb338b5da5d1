#pragma once

#include <torch/csrc/jit/api/module.h>

namespace srdiff::cuda {

// The methods that an exported denoiser has beside `forward` (docs/MODELS.md).

/// Whether a network has them all, with the numbers of arguments that they should have.
bool has_denoiser_methods(const torch::jit::Module& module);

/// The name of the method that define_evaluation adds.
extern const char* const evaluation_method;

/// Adds to such a denoiser evaluate(condition, x_t, embedding, scales), which is `forward` without
/// the encoding of the noise level: what encode_noise_level gives are inputs. In the place of
/// prepare_input and finish_output stand srdiff::denoiser_input and srdiff::denoiser_output
/// (patch_operators.h), which compute the same.
void define_evaluation(torch::jit::Module& module);

}  // namespace srdiff::cuda
