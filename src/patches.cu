#include "patches.cuh"

#include <algorithm>

namespace srdiff {
namespace {

constexpr int threads_of_patches = 256;

unsigned int blocks_for(long long items) {
  constexpr long long most = 1 << 20;
  return static_cast<unsigned int>(
      std::min((items + threads_of_patches - 1) / threads_of_patches, most));
}

template <typename T>
cudaError_t gather(const PatchInput& input, int channels, void* result, cudaStream_t stream) {
  const long long vectors = static_cast<long long>(input.images) * input.height * input.width *
                            (channels / Pack<T>::width);
  gather_patches<T>
      <<<blocks_for(vectors), threads_of_patches, 0, stream>>>(input, channels, result);
  return cudaGetLastError();
}

template <typename T>
cudaError_t scatter(const PatchOutput& output, float* result, cudaStream_t stream) {
  const long long values = static_cast<long long>(output.images) * output.colours * output.height *
                           output.width * output.grid * output.grid;
  scatter_patches<T><<<blocks_for(values), threads_of_patches, 0, stream>>>(output, result);
  return cudaGetLastError();
}

}  // namespace

cudaError_t write_patches(const PatchInput& input, int channels, void* result, Element element,
                          cudaStream_t stream) {
  switch (element) {
    case Element::float32:
      return gather<float>(input, channels, result, stream);
    case Element::float16:
      return gather<__half>(input, channels, result, stream);
    case Element::bfloat16:
      return gather<__nv_bfloat16>(input, channels, result, stream);
  }
  return cudaErrorInvalidValue;
}

cudaError_t write_image(const PatchOutput& output, float* result, Element element,
                        cudaStream_t stream) {
  switch (element) {
    case Element::float32:
      return scatter<float>(output, result, stream);
    case Element::float16:
      return scatter<__half>(output, result, stream);
    case Element::bfloat16:
      return scatter<__nv_bfloat16>(output, result, stream);
  }
  return cudaErrorInvalidValue;
}

}  // namespace srdiff
