#include "engine/cuda/kernels/launch.cuh"
#include "engine/cuda/kernels/patches.cuh"

namespace srdiff::cuda {
namespace {

template <typename T>
cudaError_t gather(const PatchInput& input, int channels, void* result, cudaStream_t stream) {
  const long long vectors = static_cast<long long>(input.images) * input.height * input.width *
                            (channels / Pack<T>::width);
  gather_patches<T><<<blocks_for(vectors), threads_of_items, 0, stream>>>(input, channels, result);
  return cudaGetLastError();
}

template <typename T>
cudaError_t scatter(const PatchOutput& output, float* result, cudaStream_t stream) {
  const long long values = static_cast<long long>(output.images) * output.colours * output.height *
                           output.width * output.grid * output.grid;
  scatter_patches<T><<<blocks_for(values), threads_of_items, 0, stream>>>(output, result);
  return cudaGetLastError();
}

}  // namespace

cudaError_t write_patches(const PatchInput& input, int channels, void* result, Element element,
                          cudaStream_t stream) {
  return with_type_of(element, [&](auto of) {
    return gather<typename decltype(of)::type>(input, channels, result, stream);
  });
}

cudaError_t write_image(const PatchOutput& output, float* result, Element element,
                        cudaStream_t stream) {
  return with_type_of(element, [&](auto of) {
    return scatter<typename decltype(of)::type>(output, result, stream);
  });
}

}  // namespace srdiff::cuda
