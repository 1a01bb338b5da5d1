#pragma once

#include <ATen/core/Tensor.h>

namespace srdiff::cpu {

/// Attention of each of B heads: value · softmax(queryᵀ · key · scale)ᵀ, the softmax over keys
/// ("Attention Is All You Need", equation 1, with positions as columns). query [B,d,T], key
/// [B,d,S], value [B,e,S] → [B,e,T].
///
/// The scores are never all in memory: a few queries at a time pass over the keys in pieces and
/// keep the greatest score so far (Milakov & Gimelshein, "Online normalizer calculation for
/// softmax"). One thread sums a value, so that results do not depend on the number of threads.
/// LibTorch's products compute tensors that are not float32 on the CPU.
at::Tensor attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                     double scale);

/// Whether `attention` computes these itself.
bool computes_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value);

}  // namespace srdiff::cpu
