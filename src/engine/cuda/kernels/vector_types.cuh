#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace srdiff::cuda {
namespace {  // in each source again, as tests emulate kernels of the same names

/// Converts a vector, which is 16 bytes of values of type T as they lie in memory, to float32
/// (`open`) and back (`close`). `two` makes one word of two values.
template <typename T>
struct Pack;

template <>
struct Pack<float> {
  static constexpr int width = 4;
  static __device__ void open(uint4 bits, float* x) {
    x[0] = __uint_as_float(bits.x);
    x[1] = __uint_as_float(bits.y);
    x[2] = __uint_as_float(bits.z);
    x[3] = __uint_as_float(bits.w);
  }
  static __device__ uint4 close(const float* x) {
    return {__float_as_uint(x[0]), __float_as_uint(x[1]), __float_as_uint(x[2]),
            __float_as_uint(x[3])};
  }
};

template <>
struct Pack<__half> {
  static constexpr int width = 8;
  static __device__ void open(uint4 bits, float* x) {
    const unsigned int words[] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      x[2 * i] = __half2float(__ushort_as_half(static_cast<unsigned short>(words[i])));
      x[2 * i + 1] = __half2float(__ushort_as_half(static_cast<unsigned short>(words[i] >> 16)));
    }
  }
  static __device__ unsigned int two(float low, float high) {
    return __half_as_ushort(__float2half_rn(low)) |
           static_cast<unsigned int>(__half_as_ushort(__float2half_rn(high))) << 16;
  }
  static __device__ uint4 close(const float* x) {
    return {two(x[0], x[1]), two(x[2], x[3]), two(x[4], x[5]), two(x[6], x[7])};
  }
};

template <>
struct Pack<__nv_bfloat16> {
  static constexpr int width = 8;
  static __device__ void open(uint4 bits, float* x) {
    const unsigned int words[] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      x[2 * i] = __uint_as_float(words[i] << 16);
      x[2 * i + 1] = __uint_as_float(words[i] & 0xFFFF0000U);
    }
  }
  static __device__ unsigned int two(float low, float high) {
    return __bfloat16_as_ushort(__float2bfloat16_rn(low)) |
           static_cast<unsigned int>(__bfloat16_as_ushort(__float2bfloat16_rn(high))) << 16;
  }
  static __device__ uint4 close(const float* x) {
    return {two(x[0], x[1]), two(x[2], x[3]), two(x[4], x[5]), two(x[6], x[7])};
  }
};

/// The vector that begins at value `index`.
template <typename T>
__device__ uint4 load(const void* from, long long index) {
  return *reinterpret_cast<const uint4*>(static_cast<const T*>(from) + index);
}

template <typename T>
__device__ void store(void* to, long long index, uint4 bits) {
  *reinterpret_cast<uint4*>(static_cast<T*>(to) + index) = bits;
}

/// One value, in float32.
template <typename T>
__device__ float value_at(const void* from, long long index);

template <>
__device__ inline float value_at<float>(const void* from, long long index) {
  return static_cast<const float*>(from)[index];
}

template <>
__device__ inline float value_at<__half>(const void* from, long long index) {
  return __half2float(static_cast<const __half*>(from)[index]);
}

template <>
__device__ inline float value_at<__nv_bfloat16>(const void* from, long long index) {
  return __bfloat162float(static_cast<const __nv_bfloat16*>(from)[index]);
}

/// x / (1 + e^-x). For images in float32 by the accurate functions; for those of 16 bits by the
/// fast ones, whose error is far below that of rounding the result.
template <typename T>
__device__ float silu(float x) {
  return x / (1.0F + expf(-x));
}

template <>
__device__ inline float silu<__half>(float x) {
  return __fdividef(x, 1.0F + __expf(-x));
}

template <>
__device__ inline float silu<__nv_bfloat16>(float x) {
  return __fdividef(x, 1.0F + __expf(-x));
}

}  // namespace
}  // namespace srdiff::cuda
