#include "engine/cuda/kernels/group_norm.cuh"
#include "engine/cuda/kernels/launch.cuh"

namespace srdiff::cuda {
namespace {

dim3 grid_of(const ImageSum& image, const NormShape& shape) {
  return {static_cast<unsigned int>(shape.blocks),
          static_cast<unsigned int>(image.channels() / shape.chunk),
          static_cast<unsigned int>(image.images)};
}

/// Launches blocks of one chunk's width, in clusters where several share an image.
struct Launch {
  dim3 grid;
  int width;
  const NormShape& shape;
  bool clusters;
  cudaStream_t stream;

  template <typename... Parameters, typename... Arguments>
  cudaError_t operator()(void (*kernel)(Parameters...), const Arguments&... arguments) const {
    cudaLaunchConfig_t config = {};
    config.gridDim = grid;
    config.blockDim = dim3(static_cast<unsigned int>(shape.rows * shape.chunk / width));
    config.dynamicSmemBytes = norm_shared_bytes(shape, width);
    config.stream = stream;
    cudaLaunchAttribute cluster = {};
    cluster.id = cudaLaunchAttributeClusterDimension;
    cluster.val.clusterDim.x = grid.x;
    cluster.val.clusterDim.y = 1;
    cluster.val.clusterDim.z = 1;
    config.attrs = &cluster;
    config.numAttrs = clusters && grid.x > 1 ? 1 : 0;
    return cudaLaunchKernelEx(&config, kernel, arguments...);
  }
};

template <typename T>
cudaError_t in_registers(const ImageSum& image, const ImageNorm& norm, const NormShape& shape,
                         const Launch& launch) {
  switch (shape.held) {
    case 1:
      return launch(norm_in_registers<T, 1>, image, norm, shape);
    case 2:
      return launch(norm_in_registers<T, 2>, image, norm, shape);
    case 4:
      return launch(norm_in_registers<T, 4>, image, norm, shape);
    case 8:
      return launch(norm_in_registers<T, 8>, image, norm, shape);
    case 16:
      return launch(norm_in_registers<T, 16>, image, norm, shape);
    default:
      return cudaErrorInvalidValue;
  }
}

template <typename T>
cudaError_t in_two_passes(const ImageSum& image, const ImageNorm& norm, const NormShape& shape,
                          float* workspace, const Launch& launch) {
  auto* sums = reinterpret_cast<float2*>(workspace);
  const cudaError_t error = launch(sums_for_norm<T>, image, norm.sum, shape, sums);
  if (error != cudaSuccess) {
    return error;
  }
  ImageSum again = image;
  if (norm.sum != nullptr) {
    again = {norm.sum};
    again.images = image.images;
    again.positions = image.positions;
    again.channels_a = image.channels();
  }
  return launch(norm_by_sums<T>, again, norm, shape, static_cast<const float2*>(sums));
}

template <typename T>
cudaError_t norm_of(const ImageSum& image, const ImageNorm& norm, const NormShape& shape,
                    float* workspace, cudaStream_t stream) {
  const Launch launch = {grid_of(image, shape), Pack<T>::width, shape, shape.held > 0, stream};
  return shape.held > 0 ? in_registers<T>(image, norm, shape, launch)
                        : in_two_passes<T>(image, norm, shape, workspace, launch);
}

}  // namespace

bool norm_forms_clusters() {
  constexpr int with_clusters = 90;
  cudaFuncAttributes attributes = {};
  return cudaFuncGetAttributes(&attributes, norm_in_registers<float, 1>) == cudaSuccess &&
         attributes.ptxVersion >= with_clusters;
}

cudaError_t group_norm(const ImageSum& image, const ImageNorm& norm, const NormShape& shape,
                       Element element, float* workspace, cudaStream_t stream) {
  return with_type_of(element, [&](auto of) {
    return norm_of<typename decltype(of)::type>(image, norm, shape, workspace, stream);
  });
}

}  // namespace srdiff::cuda
