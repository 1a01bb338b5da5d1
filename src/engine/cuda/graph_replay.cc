#include "engine/cuda/graph_replay.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "srdiff/error.h"
#include "srdiff/logging.h"

#ifdef SRDIFF_CUDA
#include <ATen/cuda/CUDAContext.h>
#include <ATen/cuda/CUDAEvent.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <cuda_runtime_api.h>
#endif

namespace srdiff::cuda {

namespace {

thread_local bool without_graphs = false;

}  // namespace

WithoutCudaGraphs::WithoutCudaGraphs() : ScopedFlag(without_graphs) {}

#ifdef SRDIFF_CUDA

namespace {

/// The most shapes whose recordings are kept: those of tiles, and of a folder's last, smaller
/// batch.
constexpr std::size_t max_recordings = 4;

/// A shape is recorded at its second call: in the first call cuDNN chooses its kernels.
constexpr int calls_before_recording = 1;

/// Whether a capture that an exception cut short could be ended as others are.
bool ends(at::cuda::CUDAGraph& graph) {
  try {
    graph.capture_end();
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

/// Ends what a failed capture has left open: `capture_end` gives up where CUDA has broken it off,
/// with LibTorch's allocator still taking this stream's memory from the recording's pool.
void close_failed_capture(c10::cuda::CUDAStream stream, c10::cuda::MempoolId_t pool) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  if (cudaStreamIsCapturing(stream, &status) == cudaSuccess &&
      status != cudaStreamCaptureStatusNone) {
    cudaGraph_t graph = nullptr;
    cudaStreamEndCapture(stream, &graph);
    if (graph != nullptr) {
      cudaGraphDestroy(graph);
    }
  }
  cudaGetLastError();  // or the next call would report it
  try {
    c10::cuda::CUDACachingAllocator::endAllocateToPool(stream.device_index(), pool);
    c10::cuda::CUDACachingAllocator::releasePool(stream.device_index(), pool);
  } catch (const std::exception& error) {
    log::debug("a CUDA graph's memory was closed already: {}", error.what());
  }
}

bool same_shapes(const CudaGraphs::Tensors& a, const CudaGraphs::Tensors& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const at::Tensor& x, const at::Tensor& y) {
                      return x.sizes() == y.sizes() && x.scalar_type() == y.scalar_type();
                    });
}

}  // namespace

struct CudaGraphs::Recording {
  Tensors inputs;  ///< that the graph reads; before it is recorded, only their shapes count
  int calls = 0;
  bool too_large = false;  ///< to be recorded: memory holds a call, but not both
  std::unique_ptr<at::cuda::CUDAGraph> graph = {};
  at::Tensor output = {};  ///< that the graph writes

  /// False where CUDA refuses, and where memory does not hold it, which is `too_large` then.
  bool record(const Call& call) {
    const auto own = [](const at::Tensor& tensor) { return tensor.clone(); };
    std::transform(inputs.begin(), inputs.end(), inputs.begin(), own);
    const c10::cuda::CUDAStream recording = c10::cuda::getStreamFromPool();
    at::cuda::CUDAEvent ready;
    ready.record(c10::cuda::getCurrentCUDAStream());
    ready.block(recording);
    auto candidate = std::make_unique<at::cuda::CUDAGraph>();
    const c10::cuda::CUDAStreamGuard on_its_stream(recording);
    const c10::cuda::MempoolId_t pool = at::cuda::graph_pool_handle();
    bool capturing = false;
    try {
      call(inputs);  // this stream's workspaces, which must not be made while recording
      // While a graph is recorded, the allocator cannot return memory that it holds unused for
      // other streams.
      recording.synchronize();
      c10::cuda::CUDACachingAllocator::emptyCache();
      candidate->capture_begin(pool, cudaStreamCaptureModeThreadLocal);
      capturing = true;
      output = call(inputs);
      capturing = false;
      candidate->capture_end();
    } catch (const std::exception& error) {
      output = at::Tensor();
      if (!capturing || !ends(*candidate)) {
        close_failed_capture(recording, pool);
      }
      too_large = is_out_of_memory(error);
      log::debug("a call is not recorded as a CUDA graph: {}", error.what());
      return false;
    }
    recording.synchronize();
    graph = std::move(candidate);
    return true;
  }

  at::Tensor replay(const Tensors& given) const {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      inputs[i].copy_(given[i], /*non_blocking=*/true);
    }
    graph->replay();
    return output.clone();  // the next replay writes over it
  }
};

at::Tensor CudaGraphs::operator()(const Tensors& inputs, const Call& call) {
  if (refused_ || without_graphs || inputs.empty() || !inputs.front().is_cuda()) {
    return call(inputs);
  }
  const c10::cuda::CUDAGuard device(inputs.front().device());
  const auto known = std::find_if(recordings_.begin(), recordings_.end(), [&](const auto& one) {
    return same_shapes(one->inputs, inputs);
  });
  if (known == recordings_.end()) {
    if (recordings_.size() == max_recordings) {
      recordings_.erase(recordings_.begin());
    }
    recordings_.push_back(std::make_unique<Recording>(Recording{inputs}));
  } else {
    std::rotate(known, known + 1, recordings_.end());
  }
  Recording& recording = *recordings_.back();
  if (recording.graph == nullptr) {
    if (recording.too_large || recording.calls++ < calls_before_recording) {
      return call(inputs);
    }
    if (!recording.record(call)) {
      if (!recording.too_large) {
        refused_ = true;
        recordings_.clear();
      }
      return call(inputs);
    }
  }
  return recording.replay(inputs);
}

#else

struct CudaGraphs::Recording {};

at::Tensor CudaGraphs::operator()(const Tensors& inputs, const Call& call) {
  return call(inputs);
}

#endif

CudaGraphs::CudaGraphs() = default;
CudaGraphs::~CudaGraphs() = default;

void CudaGraphs::drop() {
  recordings_.clear();
}

}  // namespace srdiff::cuda
