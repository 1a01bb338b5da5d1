#pragma once

#include <cmath>
#include <cstdint>

/// Marks functions that CUDA's compiler makes for the processor and for the device.
#ifdef __CUDACC__
#define SRDIFF_HOST_DEVICE __host__ __device__
#else
#define SRDIFF_HOST_DEVICE
#endif

namespace srdiff {

/// The four words of a Philox counter, or of the generator's output.
struct PhiloxWords {
  // Code for a GPU cannot call std::array's functions.
  std::uint32_t words[4];  // NOLINT(modernize-avoid-c-arrays)
};

/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): four
/// uniform words from a 128-bit counter and a 64-bit key. Every device runs this code, so that all
/// of them draw the same bits.
SRDIFF_HOST_DEVICE inline PhiloxWords philox_words(const PhiloxWords& counter, std::uint32_t key0,
                                                   std::uint32_t key1) {
  constexpr int rounds = 10;
  constexpr std::uint64_t first_multiplier = 0xD2511F53;
  constexpr std::uint64_t second_multiplier = 0xCD9E8D57;
  constexpr std::uint32_t first_increment = 0x9E3779B9;
  constexpr std::uint32_t second_increment = 0xBB67AE85;
  PhiloxWords result = counter;
  std::uint32_t* const word = result.words;
  for (int round = 0; round < rounds; ++round) {
    const std::uint64_t a = first_multiplier * word[0];
    const std::uint64_t b = second_multiplier * word[2];
    word[0] = static_cast<std::uint32_t>(b >> 32) ^ word[1] ^ key0;
    word[1] = static_cast<std::uint32_t>(b);
    word[2] = static_cast<std::uint32_t>(a >> 32) ^ word[3] ^ key1;
    word[3] = static_cast<std::uint32_t>(a);
    key0 += first_increment;
    key1 += second_increment;
  }
  return result;
}

/// Uniform in the open interval (0, 1), so that the logarithm below is finite.
SRDIFF_HOST_DEVICE inline double open_uniform(std::uint32_t word) {
  return (word + 0.5) * 0x1p-32;
}

struct PixelNoise {
  float red;
  float green;
  float blue;
};

/// Three standard normal values of one pixel from its four words by Box and Muller's transform, in
/// double so that two mathematical libraries agree to the rounding of float.
SRDIFF_HOST_DEVICE inline PixelNoise pixel_noise(const PhiloxWords& uniform) {
  constexpr double two_pi = 2.0 * 3.14159265358979323846;
  const std::uint32_t* const word = uniform.words;
  const double first_radius = std::sqrt(-2.0 * std::log(open_uniform(word[0])));
  const double first_angle = two_pi * open_uniform(word[1]);
  const double second_radius = std::sqrt(-2.0 * std::log(open_uniform(word[2])));
  const double second_angle = two_pi * open_uniform(word[3]);
  return {static_cast<float>(first_radius * std::cos(first_angle)),
          static_cast<float>(first_radius * std::sin(first_angle)),
          static_cast<float>(second_radius * std::cos(second_angle))};
}

}  // namespace srdiff
