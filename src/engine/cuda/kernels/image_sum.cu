#include "engine/cuda/kernels/image_sum.cuh"
#include "engine/cuda/kernels/launch.cuh"

namespace srdiff::cuda {
namespace {

template <typename T>
cudaError_t add(const ImageSum& image, int width, void* sum, void* activated, cudaStream_t stream) {
  const long long vectors =
      static_cast<long long>(image.images) * image.positions * (image.channels() / Pack<T>::width);
  write_sum<T><<<blocks_for(vectors), threads_of_items, 0, stream>>>(image, width, sum, activated);
  return cudaGetLastError();
}

}  // namespace

cudaError_t add_images(const ImageSum& image, int width, void* sum, void* silu, Element element,
                       cudaStream_t stream) {
  return with_type_of(element, [&](auto of) {
    return add<typename decltype(of)::type>(image, width, sum, silu, stream);
  });
}

}  // namespace srdiff::cuda
