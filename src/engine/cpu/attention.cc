#include "engine/cpu/attention.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "base/integer_math.h"
#include "engine/cpu/simd/register_tile.h"
#include "engine/cpu/simd/vector_math.h"

namespace srdiff::cpu {
namespace {

/// Keys of a piece, between two of which sums are rescaled: their scores stay in the first cache.
constexpr std::int64_t keys_of_piece = 128;

/// One head; rows of all but `keys` are `…_step` values apart and have no gaps.
struct Head {
  const float* query;  ///< [dim, queries]
  const float* keys;   ///< [key_count / rows, dim, rows], as pack_keys writes them
  const float* value;  ///< [value_dim, key_count]
  float* result;       ///< [value_dim, queries]
  std::int64_t query_step;
  std::int64_t value_step;
  std::int64_t dim;
  std::int64_t value_dim;
  std::int64_t queries;
  std::int64_t key_count;
  float scale;
};

/// Writes `rows` keys side by side, so that a product reads them in order; keys beyond the last are
/// zeros.
void pack_keys(const float* key, std::int64_t step, std::int64_t dim, std::int64_t count,
               std::int64_t rows, float* packed) {
  for (std::int64_t first = 0; first < count; first += rows) {
    const std::int64_t here = std::min(rows, count - first);
    for (std::int64_t d = 0; d < dim; ++d) {
      const float* from = key + d * step + first;
      std::fill(std::copy(from, from + here, packed), packed + rows, 0.0F);
      packed += rows;
    }
  }
}

/// One block of queries, in lanes of vectors, against all keys.
template <std::int64_t Width, std::int64_t Vectors, std::int64_t Rows>
class QueryBlock {
 public:
  static constexpr std::int64_t queries = Width * Vectors;
  static constexpr std::int64_t rows = Rows;
  static_assert(keys_of_piece % Rows == 0);

  using Sums = RegisterTile<Width, Vectors, Rows>;
  using Row = typename Sums::Row;

  SRDIFF_INLINE QueryBlock(const Head& head, std::int64_t first)
      : head_(head), first_(first), count_(std::min(queries, head.queries - first)) {}

  /// `scratch` holds `scratch_size(head)` values.
  static std::int64_t scratch_size(const Head& head) {
    return (head.dim + keys_of_piece + head.value_dim) * queries;
  }

  SRDIFF_INLINE void run(float* scratch) {
    query_ = scratch;
    scores_ = query_ + head_.dim * queries;
    result_ = scores_ + keys_of_piece * queries;
    read_query();
    std::fill(result_, result_ + head_.value_dim * queries, 0.0F);
    for (std::size_t v = 0; v < Vectors; ++v) {
      greatest_[v] = Values<Width>{} + std::numeric_limits<float>::lowest();
      total_[v] = Values<Width>{};
    }
    for (std::int64_t key = 0; key < head_.key_count; key += keys_of_piece) {
      const std::int64_t count = std::min(keys_of_piece, head_.key_count - key);
      score(key, count);
      weigh(count);
      add_values(key, count);
    }
    write_result();
  }

 private:
  SRDIFF_INLINE void read_query() {
    for (std::int64_t d = 0; d < head_.dim; ++d) {
      const float* from = head_.query + d * head_.query_step + first_;
      float* to = query_ + d * queries;
      for (std::int64_t i = 0; i < count_; ++i) {
        to[i] = from[i] * head_.scale;
      }
      std::fill(to + count_, to + queries, 0.0F);
    }
  }

  /// scores[key, query]
  SRDIFF_INLINE void score(std::int64_t first, std::int64_t count) {
    for (std::int64_t key = 0; key < count; key += Rows) {
      Sums tile;
      const float* keys = head_.keys + (first + key) * head_.dim;
      for (std::int64_t d = 0; d < head_.dim; ++d) {
        tile.add([&](std::int64_t row) { return keys[d * Rows + row]; }, query_ + d * queries);
      }
      for (std::int64_t row = 0; row < Rows; ++row) {
        tile.write(row, scores_ + (key + row) * queries);
      }
    }
  }

  /// Turns scores into exponentials relative to the greatest score so far, and finds the factor
  /// that rescales earlier sums to it.
  SRDIFF_INLINE void weigh(std::int64_t count) {
    for (std::size_t v = 0; v < Vectors; ++v) {
      float* column = scores_ + static_cast<std::int64_t>(v) * Width;
      Values<Width> greatest = greatest_[v];
      Values<Width> sum{};
      for (std::int64_t key = 0; key < count; ++key) {
        Values<Width> score;
        load(column + key * queries, score);
        larger<Width>(score, greatest);
        sum += score;
      }
      Values<Width> shrink = greatest - greatest_[v];
      exp_of_minus<Width>(shrink);
      greatest_[v] = greatest;
      Values<Width> total = sum * 0.0F;  // NaN where a score is: an exponential would hide it
      for (std::int64_t key = 0; key < count; ++key) {
        Values<Width> weight;
        load(column + key * queries, weight);
        weight = greatest - weight;
        exp_of_minus<Width>(weight);
        store(weight, column + key * queries);
        total += weight;
      }
      total_[v] = total_[v] * shrink + total;
      shrink_[v] = shrink;
    }
  }

  SRDIFF_INLINE void add_values(std::int64_t first, std::int64_t count) {
    for (std::int64_t channel = 0; channel < head_.value_dim; channel += Rows) {
      // Rows beyond the last channel repeat it; their results are not stored below.
      std::array<const float*, Rows> values;
      for (std::int64_t row = 0; row < Rows; ++row) {
        values[static_cast<std::size_t>(row)] =
            head_.value + std::min(channel + row, head_.value_dim - 1) * head_.value_step + first;
      }
      Sums tile;
      for (std::int64_t key = 0; key < count; ++key) {
        tile.add([&](std::int64_t row) { return values[static_cast<std::size_t>(row)][key]; },
                 scores_ + key * queries);
      }
      for (std::int64_t row = 0; row < std::min(Rows, head_.value_dim - channel); ++row) {
        float* to = result_ + (channel + row) * queries;
        for (std::size_t v = 0; v < Vectors; ++v) {
          float* place = to + static_cast<std::int64_t>(v) * Width;
          Values<Width> sum;
          load(place, sum);
          sum = sum * shrink_[v] + tile.sums[static_cast<std::size_t>(row)][v];
          store(sum, place);
        }
      }
    }
  }

  SRDIFF_INLINE void write_result() {
    std::array<float, queries> divisor;
    std::memcpy(divisor.data(), total_.data(), sizeof(divisor));
    for (std::int64_t channel = 0; channel < head_.value_dim; ++channel) {
      const float* from = result_ + channel * queries;
      float* to = head_.result + channel * head_.queries + first_;
      for (std::int64_t i = 0; i < count_; ++i) {
        to[i] = from[i] / divisor[static_cast<std::size_t>(i)];
      }
    }
  }

  const Head& head_;
  std::int64_t first_;
  std::int64_t count_;
  float* query_ = nullptr;
  float* scores_ = nullptr;
  float* result_ = nullptr;
  Row greatest_;
  Row total_;
  Row shrink_;
};

// A product should keep as many sums at work as there are registers, so that a tile's shape depends
// on the processor. Loops marked SRDIFF_EVERY_VECTOR_WIDTH have one shape for all processors, so
// these are written out.

using Narrow = QueryBlock<4, 2, 4>;

struct AttentionKernel {
  std::int64_t queries;  ///< of a block
  std::int64_t rows;     ///< keys that are packed side by side
  std::int64_t (*scratch_size)(const Head& head);
  void (*run)(const Head& head, std::int64_t first, float* scratch);
};

void run_narrow(const Head& head, std::int64_t first, float* scratch) {
  Narrow(head, first).run(scratch);
}

template <typename Of>
constexpr AttentionKernel kernel_of(void (*run)(const Head&, std::int64_t, float*)) {
  return {Of::queries, Of::rows, Of::scratch_size, run};
}

#ifdef SRDIFF_VECTOR_WIDTHS
using AttentionAvx2 = QueryBlock<8, 2, 4>;
using AttentionAvx512 = QueryBlock<16, 2, 8>;

SRDIFF_FOR_AVX2 void attend_avx2(const Head& head, std::int64_t first, float* scratch) {
  AttentionAvx2(head, first).run(scratch);
}

SRDIFF_FOR_AVX512 void attend_avx512(const Head& head, std::int64_t first, float* scratch) {
  AttentionAvx512(head, first).run(scratch);
}
#endif

AttentionKernel kernel() {
#ifdef SRDIFF_VECTOR_WIDTHS
  if (__builtin_cpu_supports("avx512f")) {
    return kernel_of<AttentionAvx512>(attend_avx512);
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return kernel_of<AttentionAvx2>(attend_avx2);
  }
#endif
  return kernel_of<Narrow>(run_narrow);
}

at::Tensor by_products(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                       double scale) {
  const at::Tensor weight = at::softmax(at::bmm(query.transpose(1, 2), key) * scale, -1);
  return at::bmm(value, weight.transpose(1, 2));
}

/// A copy whose columns are contiguous, or x itself where they are, as in views of one tensor's
/// parts.
at::Tensor readable(const at::Tensor& x) {
  return x.stride(2) == 1 ? x : x.contiguous();
}

}  // namespace

bool computes_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value) {
  const auto fits = [](const at::Tensor& x) {
    return x.dim() == 3 && x.scalar_type() == c10::kFloat && x.device().is_cpu() && x.numel() > 0;
  };
  return fits(query) && fits(key) && fits(value) && query.size(0) == key.size(0) &&
         query.size(1) == key.size(1) && value.size(0) == key.size(0) &&
         value.size(2) == key.size(2);
}

at::Tensor attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                     double scale) {
  if (!computes_attention(query, key, value)) {
    return by_products(query, key, value, scale);
  }
  static const AttentionKernel own = kernel();
  const at::Tensor queries = readable(query);
  const at::Tensor keys = readable(key);
  const at::Tensor values = readable(value);
  const std::int64_t heads = queries.size(0);
  const std::int64_t dim = keys.size(1);
  const std::int64_t key_count = keys.size(2);
  const std::int64_t padded = round_up(key_count, own.rows);
  const at::Tensor packed = at::empty({heads, padded * dim}, keys.options());
  at::Tensor result = at::empty({heads, values.size(1), queries.size(2)}, keys.options());

  const auto* key_data = keys.data_ptr<float>();
  auto* packed_data = packed.data_ptr<float>();
  at::parallel_for(0, heads, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      pack_keys(key_data + b * keys.stride(0), keys.stride(1), dim, key_count, own.rows,
                packed_data + b * padded * dim);
    }
  });

  Head first;
  first.query = queries.data_ptr<float>();
  first.keys = packed_data;
  first.value = values.data_ptr<float>();
  first.result = result.data_ptr<float>();
  first.query_step = queries.stride(1);
  first.value_step = values.stride(1);
  first.dim = dim;
  first.value_dim = values.size(1);
  first.queries = queries.size(2);
  first.key_count = key_count;
  first.scale = static_cast<float>(scale);
  const std::int64_t blocks = divide_up(first.queries, own.queries);
  at::parallel_for(0, heads * blocks, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> scratch(static_cast<std::size_t>(own.scratch_size(first)));
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t b = i / blocks;
      Head head = first;
      head.query += b * queries.stride(0);
      head.keys += b * padded * dim;
      head.value += b * values.stride(0);
      head.result += b * first.value_dim * first.queries;
      own.run(head, i % blocks * own.queries, scratch.data());
    }
  });
  return result;
}

}  // namespace srdiff::cpu
