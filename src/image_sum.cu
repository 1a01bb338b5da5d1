#include "image_sum.cuh"

#include <algorithm>

namespace srdiff {
namespace {

template <typename T>
cudaError_t add(const ImageSum& image, int width, void* sum, void* activated, cudaStream_t stream) {
  constexpr long long threads = 256;
  constexpr long long most_blocks = 1 << 20;
  const long long vectors =
      static_cast<long long>(image.images) * image.positions * (image.channels() / Pack<T>::width);
  const long long blocks = std::min((vectors + threads - 1) / threads, most_blocks);
  write_sum<T>
      <<<static_cast<unsigned int>(blocks), threads, 0, stream>>>(image, width, sum, activated);
  return cudaGetLastError();
}

}  // namespace

cudaError_t add_images(const ImageSum& image, int width, void* sum, void* silu, Element element,
                       cudaStream_t stream) {
  switch (element) {
    case Element::float32:
      return add<float>(image, width, sum, silu, stream);
    case Element::float16:
      return add<__half>(image, width, sum, silu, stream);
    case Element::bfloat16:
      return add<__nv_bfloat16>(image, width, sum, silu, stream);
  }
  return cudaErrorInvalidValue;
}

}  // namespace srdiff
